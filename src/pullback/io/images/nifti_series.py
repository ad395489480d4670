"""Images of one grid one after another in time, as one NIfTI file: written frame by frame, whole or not at all."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.io.atomic import atomic, full_suffix
from pullback.io.images.nifti import header_bytes, read_header
from pullback.io.images.nifti_header import NIFTI1, NIFTI2, VECTOR
from pullback.io.images.write import smallest
from pullback.io.streams import as_bytes, writing
from pullback.space import Space

MILLIMETRES, SECONDS = 2, 8
SECONDS_PER_UNIT = {8: 1.0, 16: 1e-3, 24: 1e-6}
LONGEST_SECONDS = 60.0
SAME_GRID_VOXELS = 0.05


def write_frames(
    frames: Iterable[Image | Labels],
    path: str | os.PathLike[str],
    count: int,
    frame_seconds: float | None = None,
    description: str = "pullback",
) -> None:
    """Write a series in time as one 4-D file, each frame as it comes, so that one at a time is held.

    Args:
        frames: images of one channel (written as float32) or labels (as the smallest integers that hold the first
            frame's), all on one grid. 2-D frames become (nx, ny, 1, nt).
        path: .nii or .nii.gz.
        count: how many frames there are.
        frame_seconds: from one frame to the next; None if unknown.
        description: at most 79 characters for the header.

    Raises:
        InputError: another suffix, frames of different kinds or grids, another number of them, or no right to write.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "cine.nii.gz"
        >>> write_frames((Image.of(np.full((40, 64), t)) for t in range(3)), path, 3, frame_seconds=0.04)
        >>> read_header(path).dims[3], round(read_frame_seconds(path), 3)
        (3, 0.04)
    """
    file = _nifti_path(path)
    with atomic(file) as one, writing(one, file.name.lower().endswith(".gz")) as stream:
        first: np.ndarray | None = None
        space, written = None, 0
        for frame in frames:
            if first is None or space is None:
                first, space = _numbers(frame, None), frame.space
                stream.write(_series_header(first[None], space, count, frame_seconds, description))
            if not frame.space.same_as(space, SAME_GRID_VOXELS):
                raise InputError(f"frame {written} lies on {frame.space!r} but the first on {space!r}; the frames of "
                                 "one file share a grid")  # fmt: skip
            stream.write(as_bytes(_numbers(frame, first.dtype)))
            written += 1
        if written != count or count == 0:
            raise InputError(f"a series of {count} frames was promised, but there are {written}")


def write_displacements(
    fields: Iterable[torch.Tensor],
    space: Space,
    path: str | os.PathLike[str],
    count: int,
    frame_seconds: float | None = None,
) -> None:
    """Write displacement fields in time as one 5-D vector file (nx, ny, nz, nt, D), LPS mm as ITK has them.

    Args:
        fields: (D, *space.shape) mm along RAS axes, for each frame; gone through once for each component.
        space: the grid that carries them.
        path: .nii or .nii.gz.
        count: how many there are.
        frame_seconds: from one to the next; None if unknown.
    """
    file, held = _nifti_path(path), list(fields)
    if len(held) != count or count == 0:
        raise InputError(f"a series of {count} fields was promised, but there are {len(held)}")
    with atomic(file) as one, writing(one, file.name.lower().endswith(".gz")) as stream:
        first = np.empty((space.dimension, *space.shape), np.float32)
        text = "pullback: fixed point + u = moving point, LPS mm"
        stream.write(_series_header(first, space, count, frame_seconds, text))
        for component in range(space.dimension):
            sign = np.float32(-1 if component < 2 else 1)
            for field in held:
                stream.write(as_bytes(sign * field[component].detach().cpu().numpy().astype(np.float32, copy=False)))


def read_frame_seconds(path: str | os.PathLike[str]) -> float | None:
    """Seconds from one frame of a NIfTI series to the next; None where its header does not say.

    Many files hold milliseconds and say seconds: a step of more than a minute is taken for milliseconds.
    """
    file = Path(path)
    if not file.name.lower().endswith((".nii", ".nii.gz")):
        return None
    header = read_header(file)
    step, unit = float(header.fields["pixdim"][4]), int(header.fields["xyzt_units"]) & 56
    if header.dims[3] < 2 or not math.isfinite(step) or step <= 0:
        return None
    seconds = step * SECONDS_PER_UNIT.get(unit, 1.0)
    return seconds / 1000 if seconds > LONGEST_SECONDS else seconds


def _nifti_path(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if full_suffix(file) != ".nii.gz" and file.suffix.lower() != ".nii":
        raise InputError(f"cannot write {path}: a series in time is written as .nii.gz or .nii")
    return file


def _numbers(frame: Image | Labels, kind: np.dtype | None) -> np.ndarray:
    data = frame.data.detach().cpu().numpy()
    if isinstance(frame, Image):
        if len(data) != 1:
            raise InputError(f"the frames of a series have one channel; got {len(data)}")
        numbers: np.ndarray = data[0].astype(np.float32, copy=False)
        return numbers
    found = smallest(data)
    if kind is None:
        return found
    if not np.can_cast(found.dtype, kind):
        raise InputError(f"a later frame has labels that do not fit the first one's type ({kind})")
    return found.astype(kind, copy=False)


def _series_header(array: np.ndarray, space: Space, count: int, frame_seconds: float | None, description: str) -> bytes:
    """The header of (channels, *shape) numbers, so many times."""
    whole = header_bytes(array, space, VECTOR if len(array) > 1 else 0, description, single=True)
    layout = NIFTI2 if len(whole) > 352 else NIFTI1
    head = np.frombuffer(whole[: layout.itemsize], layout).copy()
    size = [*space.shape[::-1], *[1] * (3 - space.dimension)]
    head["dim"] = [[5 if len(array) > 1 else 4, *size, count, len(array), 1, 1]]
    if frame_seconds is not None:
        head["pixdim"][0, 4] = frame_seconds
        head["xyzt_units"] = MILLIMETRES | SECONDS
    return head.tobytes() + whole[layout.itemsize :]
