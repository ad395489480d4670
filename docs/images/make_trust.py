"""Draw docs/images/trust.png, where a deformation can be trusted: `python docs/images/make_trust.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image as Picture

import pullback as pb

OUT = Path(__file__).with_name("trust.png")
NOISE, REPEATS = 0.05, 8
OUTLINE = "#ffb000"


def main() -> None:
    space = pb.phantom.heart_space(2, (128, 128), (2.1, 2.1))
    clean = pb.phantom.heart_pair(space=space, seed=5, noise=0.0)
    found = []
    for seed in range(REPEATS):  # the same pair, scanned again and again
        fixed = pb.phantom.add_noise(clean.fixed, NOISE, seed, "fixed")
        moving = pb.phantom.add_noise(clean.moving, NOISE, seed, "moving")
        found.append(pb.register(fixed, moving).transform(space.grid()))
    answers = torch.stack(found)
    spread = (answers - answers.mean(0)).norm(dim=-1).square().mean(0).sqrt()
    error = (answers - clean.truth(space.grid())).norm(dim=-1).mean(0)
    heart = clean.fixed_labels.data > 0
    print(f"heart: spread {spread[heart].mean():.2f} mm, error {error[heart].mean():.2f} mm")
    print(f"elsewhere: spread {spread[~heart].mean():.2f} mm, error {error[~heart].mean():.2f} mm")
    print(f"correlation of the two maps: {np.corrcoef(spread.flatten(), error.flatten())[0, 1]:.2f}")

    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.5), layout="constrained")
    axes[0].imshow(fixed.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    axes[0].set_title("the fixed image, one of 8 scans", fontsize=11)
    titles = "spread of the 8 answers, mm", "their error, mm (known here)"
    for axis, values, title in zip(axes[1:], (spread, error), titles, strict=True):
        seen = axis.imshow(values, cmap="viridis", vmin=0, vmax=6)
        figure.colorbar(seen, ax=axis, shrink=0.85, extend="max")
        axis.set_title(title, fontsize=11)
    for axis in axes:
        axis.contour(heart, [0.5], colors=OUTLINE, linewidths=1.2)
        axis.set_axis_off()
    figure.savefig(OUT, dpi=110)
    Picture.open(OUT).convert("RGB").quantize(256).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
