"""Draw docs/images/demo.png, the picture of the README: `python docs/images/make_demo_image.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image as Picture

import pullback as pb
from pullback.evaluate import mean_dice
from pullback.phantom import beating_heart

OUT = Path(__file__).with_name("demo.png")
GRID_STEP, CROP = 4, np.s_[36:156, 30:150]
OUTLINE = "#ffb000"


def show(axis: plt.Axes, picture: np.ndarray, outlines: np.ndarray, title: str) -> None:
    """A picture with the fixed image's outlines over it."""
    axis.imshow(picture[CROP], cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    for value in (1, 2, 3):
        axis.contour(outlines[CROP] == value, [0.5], colors=OUTLINE, linewidths=0.9)
    finish(axis, title)


def show_grid(axis: plt.Axes, result: pb.Registration) -> None:
    """Where the lines of the fixed grid go in the moving image, in its voxels."""
    space = result.fixed.space
    voxels = space.to_voxels(result.transform(space.grid())).numpy()[CROP][::GRID_STEP, ::GRID_STEP]
    rows, columns = voxels[..., 0] - CROP[0].start, voxels[..., 1] - CROP[1].start
    axis.imshow(result.moving.numpy()[CROP], cmap="gray", vmin=0, vmax=1, interpolation="bilinear", alpha=0.6)
    axis.plot(columns, rows, color="#4aa3ff", linewidth=0.6)
    axis.plot(columns.T, rows.T, color="#4aa3ff", linewidth=0.6)
    axis.set_xlim(-0.5, rows.shape[0] * GRID_STEP - 0.5)
    axis.set_ylim(rows.shape[1] * GRID_STEP - 0.5, -0.5)
    finish(axis, "the fixed grid, in the moving image")


def finish(axis: plt.Axes, title: str) -> None:
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()


def main() -> None:
    cine = beating_heart((0.0, 0.36), seed=3)
    fixed, moving = cine.frames
    labels = cine.labels[0]
    result = pb.register(fixed, moving, "cardiac-sax")
    before = mean_dice(labels, cine.labels[1])
    after = mean_dice(labels, pb.apply(result.transform, cine.labels[1], onto=fixed))
    outlines = labels.numpy()

    figure, axes = plt.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
    show(axes[0], fixed.numpy(), outlines, "fixed: end of diastole, with its outlines")
    show(axes[1], moving.numpy(), outlines, f"moving: end of systole (Dice {before:.2f})")
    show(axes[2], result.warped.numpy(), outlines, f"warped: moving, pulled back (Dice {after:.2f})")
    show_grid(axes[3], result)
    figure.savefig(OUT, dpi=110)
    Picture.open(OUT).convert("RGB").quantize(128).save(OUT, optimize=True)  # a third of the size, and nobody sees it
    print(f"{OUT.name}: {result!r}")


if __name__ == "__main__":
    main()
