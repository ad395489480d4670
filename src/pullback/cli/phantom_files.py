"""The files of a phantom: one image, or a folder of several with their labels and their exact transforms."""

from __future__ import annotations

from pathlib import Path

from pullback import io
from pullback.cli.options import UsageError
from pullback.image import Image, Labels
from pullback.phantom import Cine, Pair, Phantom
from pullback.registration.folder import together
from pullback.space import Space
from pullback.transforms import Transform


def write(made: Phantom | Cine | Pair, out: Path, labels: Path | None) -> None:
    """Write a phantom.

    Args:
        made: what to write.
        out: a file for a single image, a folder for several.
        labels: where the labels of a single image go; several have them in their folder.
    """
    if isinstance(made, Phantom):
        io.write_image(made.image, out)
        if labels is not None:
            io.write_image(made.labels, labels)
        return
    if labels is not None:
        raise UsageError("--labels is for a single image: several have theirs beside them")
    images, truths, space = _of_pair(made) if isinstance(made, Pair) else _of_cine(made)
    with together(out) as folder:
        for name, image in images.items():
            io.write_image(image, folder / f"{name}.nii.gz")
        for name, truth in truths.items():
            io.write_displacement(truth, space, folder / f"{name}.nii.gz")


def _of_pair(pair: Pair) -> tuple[dict[str, Image | Labels], dict[str, Transform], Space]:
    labels = {"fixed_seg": pair.fixed_labels, "moving_seg": pair.moving_labels}
    images = {"fixed": pair.fixed, "moving": pair.moving} | {name: there for name, there in labels.items() if there}
    return images, {"truth": pair.truth}, pair.fixed.space


def _of_cine(cine: Cine) -> tuple[dict[str, Image | Labels], dict[str, Transform], Space]:
    numbers = [f"{t:02d}" for t in range(len(cine.frames))]
    frames: dict[str, Image | Labels] = {f"frame_{n}": image for n, image in zip(numbers, cine.frames, strict=True)}
    labels: dict[str, Image | Labels] = {f"frame_{n}_seg": there for n, there in zip(numbers, cine.labels, strict=True)}
    truths = {f"truth_{n}": transform for n, transform in zip(numbers, cine.transforms, strict=True)}
    return frames | labels, dict(truths), cine.frames[0].space
