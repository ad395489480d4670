"""Draw docs/images/similarity_shift.svg, measures under a shift: `python docs/images/make_similarity_shift.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

import pullback as pb
from pullback.energy import LNCC, MIND, MSE, NCC, Energy, MutualInformation, Pair, Similarity

OUT = Path(__file__).with_name("similarity_shift.svg")
MEASURES: dict[str, tuple[Similarity, str, str]] = {
    "MSE": (MSE(), "#888888", ":"),
    "NCC": (NCC(), "#56b4e9", "-."),
    "LNCC, radius 2 voxels": (LNCC(radius_voxels=2), "#0072b2", "-"),
    "MutualInformation": (MutualInformation(), "#d55e00", "--"),
    "MIND": (MIND(), "#009e73", "-"),
}
SPACE = pb.phantom.heart_space(2, (128, 128), (2.1, 2.1))
SHIFTS = 2.1 * np.arange(-18, 19)  # mm; by whole voxels, so that no value is read between two of them
ABOUT_MM = 12.0


def near_heart() -> torch.Tensor:
    """1 in the heart and within some mm of it: elsewhere fat and liver are alike in both contrasts."""
    inside = (pb.phantom.heart(2, "cine", SPACE, seed=4).labels.data > 0).float()[None, None]
    reach = round(ABOUT_MM / SPACE.finest)
    return torch.nn.functional.max_pool2d(inside, 2 * reach + 1, 1, reach)


def losses(similarity: Similarity, fixed: pb.Image, moving: pb.Image) -> np.ndarray:
    """The loss of every shift, from 0 (the least of them) to 1 (the greatest)."""
    pair = Pair(fixed.data[None], moving.data[None], SPACE, SPACE, fixed_weight=near_heart())
    energy = Energy(similarity)
    with torch.no_grad():
        found = np.array([float(energy.loss(pair, pb.Affine.translation([shift, 0.0]))) for shift in SHIFTS])
    return (found - found.min()) / (found.max() - found.min())


def main() -> None:
    mpl.rcParams.update({"svg.hashsalt": "pullback", "svg.fonttype": "path", "font.size": 10})
    seen = {contrast: pb.phantom.heart(2, contrast, SPACE, seed=4).image for contrast in ("cine", "t2")}
    other = pb.phantom.heart(2, "cine", SPACE, seed=4, noise=0.05).image  # the same slice, with other noise
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    titles = "one contrast: cine and cine", "two contrasts: cine and T2"
    for axis, moving, title in zip(axes, (other, seen["t2"]), titles, strict=True):
        for name, (similarity, colour, line) in MEASURES.items():
            values = losses(similarity, seen["cine"], moving)
            axis.plot(SHIFTS, values, line, color=colour, label=name, linewidth=1.6)
            print(f"{title}: {name} is least at {SHIFTS[values.argmin()]:+.0f} mm")
        axis.axvline(0.0, color="black", linewidth=0.6)
        axis.set_title(title, fontsize=11)
        axis.set_xlabel("shift of the moving image, mm (the truth is 0)")
    axes[0].set_ylabel("loss, each from its least to its greatest")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(OUT, metadata={"Date": None})


if __name__ == "__main__":
    main()
