"""A cine on disk: frames read from whatever holds them, and what a tracking leaves in a folder.

- displacement.nii.gz: 5-D vectors (LPS mm, as ITK has them), from the fixed frame to each frame
- warped.nii.gz: 4-D, each frame pulled back onto the fixed one
- labels.nii.gz: 4-D, the fixed frame's labels carried to each frame, where there are labels
- motion.csv, tracking.json, recipe.yaml: figures for each frame, figures for all, and what was done
- tracking.gif: the tracked points on the frames, beside the frames pulled back
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pullback import io
from pullback.cardiac import movie
from pullback.errors import FileFormatError, InputError
from pullback.image import Image, Labels
from pullback.io.images.nifti_series import read_frame_seconds, write_displacements, write_frames
from pullback.io.images.read import READERS, open_image
from pullback.registration import recipe_file
from pullback.registration.folder import together

if TYPE_CHECKING:
    from pullback.cardiac.tracked import Tracking

FILES = ("displacement.nii.gz", "warped.nii.gz", "labels.nii.gz", "motion.csv", "tracking.json", "recipe.yaml",
         "tracking.gif")  # fmt: skip
DIRECTION = ("A point x of the fixed frame is at x + u_t(x) in frame t. Frames are pulled back: warped_t(x) = "
             "frame_t(x + u_t(x)). Labels of the fixed frame were carried to each frame by the inverse.")  # fmt: skip


BESIDE = re.compile(r"_(seg|gt|labels?|masks?)\.|^(truth|motion|displacement)_")
"""In the name of a file that belongs to a frame and is not one."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Images of one slice or stack in the order of time.

    Attributes:
        images: the frames.
        frame_seconds: from one to the next; None if unknown.
        origin: where they came from; None for what was in memory.
    """

    images: tuple[Image, ...]
    frame_seconds: float | None = None
    origin: str | None = None


def read_frames(thing: Any) -> Frames:
    """The frames of a cine.

    Args:
        thing: a 4-D file, a DICOM folder, a folder with one image file for each frame (in the order of their names, in
            which numbers count as numbers; truth and motion files, and those called _seg, _gt, _labels or _mask, are
            left out), a list of anything that is an image, or an array or tensor whose first axis is time.

    Raises:
        InputError: it holds a single image, or something that cannot be read.

    Example:
        >>> len(read_frames(np.zeros((5, 40, 64))).images)
        5
    """
    if isinstance(thing, Frames):
        return thing
    if isinstance(thing, str | os.PathLike):
        return _from_path(Path(thing))
    if isinstance(thing, np.ndarray | torch.Tensor):
        if thing.ndim not in (3, 4):
            raise InputError(f"an array of frames is (time, rows, columns) or (time, slices, rows, columns); got the "
                             f"shape {tuple(thing.shape)}")  # fmt: skip
        return Frames(tuple(Image.of(frame) for frame in thing))
    if isinstance(thing, Sequence):
        return Frames(tuple(io.as_image(frame) for frame in thing))
    raise InputError(f"cannot take a {type(thing).__name__} as the frames of a cine; pass a 4-D file, a folder, a "
                     "list of images, or an array with time first")  # fmt: skip


def _from_path(path: Path) -> Frames:
    origin = str(path.absolute())
    if path.is_dir():
        files = sorted((p for p in path.iterdir() if _is_frame(p)), key=_by_number)
        if files:
            return Frames(tuple(io.read_image(file) for file in files), None, origin)
    file = open_image(path)
    if file.frames > 1:
        images = tuple(io.read_image(path, frame=t) for t in range(file.frames))
        return Frames(images, None if path.is_dir() else read_frame_seconds(path), origin)
    if file.stack and file.space.dimension == 3:
        return Frames(tuple(io.read_image(path, frame=t) for t in range(file.space.shape[0])), None, origin)
    raise FileFormatError(f"cannot read {path} as a cine: it holds one frame; give a 4-D file, or a folder with a file "
                          "for each frame")  # fmt: skip


def _is_frame(path: Path) -> bool:
    name = path.name.lower()
    ours = any(name.endswith(suffix) for suffix in READERS) and not name.endswith((".dcm", ".ima", ".img", ".img.gz"))
    return path.is_file() and ours and not name.startswith(".") and not BESIDE.search(name)


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Numbers in a name as numbers: frame_2 before frame_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name) if part]


def save(
    tracking: Tracking,
    folder: str | Path,
    *,
    labels: Labels | None = None,
    frame_seconds: float | None = None,
    with_movie: bool = True,
    transforms: bool = False,
) -> Path:
    """Write a tracking into a folder: all of it or nothing.

    Args:
        tracking: what `track` found.
        folder: where.
        labels: of the fixed frame, to be carried to each frame.
        frame_seconds: from one frame to the next.
        with_movie: whether to write tracking.gif.
        transforms: whether to write each frame's displacement as a file of its own, too, for `pullback apply`.

    Raises:
        InputError: the folder cannot be made or written, or the labels do not lie on the fixed frame.
    """
    space, count = tracking.fixed.space, len(tracking.frames)
    fields = [transform.displace(space) for transform in tracking.transforms]
    with together(folder) as inside:
        write_displacements(fields, space, inside / "displacement.nii.gz", count, frame_seconds)
        warped = (tracking.warped(t) for t in range(count))
        write_frames(_single(warped), inside / "warped.nii.gz", count, frame_seconds)
        if labels is not None:
            write_frames(tracking.labels(labels), inside / "labels.nii.gz", count, frame_seconds)
        if transforms:
            for t, transform in enumerate(tracking.transforms):
                io.write_displacement(transform, space, inside / f"frame_{t:03d}_displacement.nii.gz")
        _write_motion(tracking, inside / "motion.csv", frame_seconds)
        with io.atomic(inside / "recipe.yaml") as path:
            path.write_text(recipe_file.to_yaml(tracking.recipe), encoding="utf-8")
        if with_movie:
            movie.write(tracking, inside / "tracking.gif", labels, frame_seconds)
        with io.atomic(inside / "tracking.json") as path:
            path.write_text(json.dumps(summary(tracking, frame_seconds), indent=2) + "\n", encoding="utf-8")
    return Path(folder)


def summary(tracking: Tracking, frame_seconds: float | None = None) -> dict[str, Any]:
    """What tracking.json holds."""
    motion = tracking.motion
    return {
        "status": tracking.status.name,
        "ok": tracking.ok,
        "message": tracking.message,
        "direction": DIRECTION,
        "frames": len(tracking.frames),
        "fixed_frame": tracking.fixed_frame,
        "farthest_frame": motion.farthest_frame,
        "cyclic": tracking.cyclic,
        "frame_seconds": frame_seconds,
        "motion": asdict(motion),
        "seconds": round(tracking.seconds, 4),
        "kernels": tracking.kernels,
        "provenance": tracking.provenance,
    }


def _single(frames: Any) -> Any:
    """Of images of several channels, their mean: a 4-D file holds one."""
    for frame in frames:
        yield frame if frame.channels == 1 else Image(frame.data.mean(dim=0, keepdim=True), frame.space)


def _write_motion(tracking: Tracking, path: Path, frame_seconds: float | None) -> None:
    motion = tracking.motion
    apart = motion.apart_mm or [None] * len(motion.mean_mm)
    columns = ("frame", "seconds", "mean_mm", "tail_mm", "apart_mm", "jacobian_min", "fold_percent")
    rows = zip(motion.mean_mm, motion.tail_mm, apart, motion.jacobian_min, motion.fold_percent, strict=True)
    with io.atomic(path) as one, one.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for t, row in enumerate(rows):
            when = "" if frame_seconds is None else f"{t * frame_seconds:.4f}"
            writer.writerow([t, when, *("" if value is None else f"{value:.5g}" for value in row)])
