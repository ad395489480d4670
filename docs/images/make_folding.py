"""Draw docs/images/folding.png, a map that folds and what it does: `python docs/images/make_folding.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image as Picture

import pullback as pb

OUT = Path(__file__).with_name("folding.png")
SPACE = pb.phantom.heart_space(2, (160, 160), (1.4, 1.4))
LONG_MM, WIDTH_MM = 26.0, 22.0
FOLD = "#d62728"
STEP = 4
WINDOW = np.s_[40:120, 40:120]


def squeeze(strength: float) -> pb.Displacement:
    """Two sides pushed towards each other, and past each other where the push is longer than it is wide."""
    away = SPACE.grid() - SPACE.centre
    bell = torch.exp(-(away**2).sum(-1) / (2 * WIDTH_MM**2))
    push = -strength * LONG_MM * away[..., 0] / WIDTH_MM * bell
    return pb.Displacement(torch.stack((push, torch.zeros_like(push))).float(), SPACE)


def grid(axis: plt.Axes, transform: pb.Displacement, jacobian: np.ndarray) -> None:
    """Where the lines of the grid go; those of folded places in red."""
    voxels = SPACE.to_voxels(transform(SPACE.grid())).numpy()[WINDOW]
    folded = jacobian[WINDOW] <= 0
    for lines in (np.s_[::STEP, :], np.s_[:, ::STEP]):
        for one, bad in zip(np.moveaxis(voxels[lines], lines[0] == np.s_[:], 0),
                            np.moveaxis(folded[lines], lines[0] == np.s_[:], 0), strict=True):  # fmt: skip
            axis.plot(one[:, 1], one[:, 0], color="#4477aa", linewidth=0.7)
            axis.plot(*np.where(bad[:, None], one, np.nan).T[::-1], color=FOLD, linewidth=1.3)
    axis.set_aspect("equal")
    axis.invert_yaxis()


def main() -> None:
    heart = pb.phantom.heart(2, "cine", SPACE, seed=3).image
    figure, axes = plt.subplots(2, 3, figsize=(9.6, 6.6), layout="constrained")
    for row, strength, what in zip(axes, (0.6, 1.6), ("a map that does not fold", "a harder push folds"), strict=True):
        transform = squeeze(strength)
        jacobian = transform.jacobian().numpy()
        share = 100 * (jacobian[WINDOW] <= 0).mean()
        print(f"strength {strength}: least Jacobian {jacobian.min():.2f}, folded {share:.1f} % of what is shown")
        grid(row[0], transform, jacobian)
        row[0].set_title(f"{what}:\nlines of the fixed grid, in moving", fontsize=10)
        seen = row[1].imshow(jacobian[WINDOW], cmap="RdBu", vmin=-1, vmax=3)
        if share:
            row[1].contour(jacobian[WINDOW] <= 0, [0.5], colors=FOLD, linewidths=1.4)
        row[1].set_title(f"Jacobian: least {jacobian.min():.2f},\n{share:.0f} % folded (J ≤ 0)", fontsize=10)
        figure.colorbar(seen, ax=row[1], shrink=0.8, ticks=[-1, 0, 1, 2, 3])
        warped = pb.apply(transform, heart, onto=SPACE).numpy()[WINDOW]
        row[2].imshow(warped, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
        row[2].set_title("a heart, pulled back", fontsize=10)
        if share:
            row[2].contour(jacobian[WINDOW] <= 0, [0.5], colors=FOLD, linewidths=1.2)
            row[2].set_title("the same heart: within the line\nit shows mirrored, a second time", fontsize=10)
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
    figure.savefig(OUT, dpi=110)
    Picture.open(OUT).convert("RGB").quantize(128).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
