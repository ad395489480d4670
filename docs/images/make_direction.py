"""Draw docs/images/direction.png, which way a transform goes: `python docs/images/make_direction.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import ConnectionPatch
from PIL import Image as Picture

import pullback as pb

OUT = Path(__file__).with_name("direction.png")
CROP = 30, 160  # rows and columns of the pictures that are shown
STEP = 8
HERE = 96, 112  # the voxel of the fixed grid that is followed
GRID, MARK = "#4aa3ff", "#ffb000"


def show(axis: plt.Axes, image: pb.Image, title: str) -> None:
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    axis.set_xlim(CROP)
    axis.set_ylim(CROP[::-1])
    axis.set_title(title, fontsize=11)
    axis.set_axis_off()


def lines(axis: plt.Axes, rows: np.ndarray, columns: np.ndarray) -> None:
    axis.plot(columns, rows, color=GRID, linewidth=0.7)
    axis.plot(columns.T, rows.T, color=GRID, linewidth=0.7)


def join(figure: plt.Figure, ends: tuple, text: str, bend: float, height: float) -> None:
    """An arrow from a place of one picture to a place of another, and what it stands for."""
    (start, start_axis), (end, end_axis) = ends
    arrow = ConnectionPatch(
        start, end, "data", "data", axesA=start_axis, axesB=end_axis, arrowstyle="-|>", mutation_scale=16,
        connectionstyle=f"arc3,rad={bend}", color=MARK, linewidth=1.6, shrinkA=5, shrinkB=5,
    )  # fmt: skip
    figure.add_artist(arrow)
    figure.text(0.5, height, text, ha="center", fontsize=11)


def main() -> None:
    pair = pb.phantom.make("pair", seed=1)
    space = pair.fixed.space
    voxels = space.to_voxels(pair.truth(space.grid())).numpy()
    warped = pb.apply(pair.truth, pair.moving, onto=space)

    figure, axes = plt.subplots(1, 2, figsize=(8.4, 4.9))
    figure.subplots_adjust(left=0.02, right=0.98, top=0.82, bottom=0.1, wspace=0.18)
    show(axes[0], warped, "the fixed grid, filled: warped")
    show(axes[1], pair.moving, "moving")
    every = np.s_[::STEP, ::STEP]
    square = np.stack(np.meshgrid(*map(np.arange, space.shape), indexing="ij"), -1)
    lines(axes[0], *np.moveaxis(square[every], -1, 0))
    lines(axes[1], *np.moveaxis(voxels[every], -1, 0))

    there = tuple(voxels[HERE][::-1])
    for axis, (column, row) in ((axes[0], HERE[::-1]), (axes[1], there)):
        axis.plot(column, row, "o", color=MARK, markersize=7, markeredgecolor="black", zorder=5)
    x, y = (HERE[::-1], axes[0]), (there, axes[1])
    join(figure, (x, y), "transform(x): where to look. Points go this way, fixed to moving.", -0.42, 0.93)
    join(figure, (y, x), "The brightness found there comes back. Images go this way: pull-back.", -0.42, 0.03)
    figure.savefig(OUT, dpi=110)
    Picture.open(OUT).convert("RGB").quantize(128).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
