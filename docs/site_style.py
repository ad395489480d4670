"""How figures of the tutorial look: a few settings of matplotlib, made anew before each script."""

from typing import Any

import matplotlib as mpl

STYLE = {
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "image.cmap": "gray",
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": mpl.cycler(color=["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]),
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def reset(gallery_conf: dict[str, Any], fname: str) -> None:
    """Called by sphinx-gallery before every script (`reset_modules` in conf.py)."""
    mpl.rcParams.update(STYLE)
