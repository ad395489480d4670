"""Sort the planes of a DICOM series into a volume, or into the frames of one.

DICOM PS3.3 C.7.6.2: ImagePositionPatient is the centre of the first pixel, ImageOrientationPatient the direction of
rising column index, then of rising row index; LPS mm. Slices are sorted by their place along the normal, never by name,
SliceLocation or SliceThickness. Planes at one place are frames in time, sorted by InstanceNumber: TriggerTime is often
constant.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pullback.errors import FileFormatError
from pullback.io.geometry import signs
from pullback.space import Space

SAME_PLACE_MM = 0.01
UNEVEN = 0.05
"""Slices may lie this part of their distance away from an even spacing before the user is told."""


@dataclass(frozen=True)
class Plane:
    """One picture of a series.

    Attributes:
        path: the file that holds it.
        index: its number in a multi-frame file.
        order: what frames at one place are sorted by.
        size: (rows, columns).
        spacing: mm between rows, between columns.
        thickness: mm, used where there is one slice only.
        axes: (2, 3) directions of rising column index and of rising row index; None if the file does not say.
        position: (3,) centre of the first pixel, LPS mm; None if the file does not say.
    """

    path: Path
    index: int
    order: tuple[float, ...]
    size: tuple[int, int]
    spacing: tuple[float, float]
    thickness: float
    axes: np.ndarray | None
    position: np.ndarray | None


@dataclass(frozen=True)
class Stack:
    """Planes sorted: `frames[t]` lists those of frame t from the first slice on."""

    frames: list[list[Plane]]
    space: Space
    placed: bool
    notes: list[str]

    def frame_of(self, path: Path) -> int | None:
        """The only frame that a file takes part in, where there are several."""
        found = {t for t, planes in enumerate(self.frames) for plane in planes if plane.path == path}
        return found.pop() if len(found) == 1 and len(self.frames) > 1 else None


def stack(planes: list[Plane]) -> Stack:
    """Sort planes into frames of slices.

    Raises:
        FileFormatError: they differ in size or direction, some are missing, or the slices do not make a volume.
    """
    sizes = {plane.size for plane in planes}
    if len(sizes) > 1:
        raise FileFormatError(f"its pictures differ in size ({_listed(sizes)}); give a folder with one volume only")
    rows, columns = planes[0].size
    if any(plane.axes is None or plane.position is None for plane in planes):
        ordered = sorted(planes, key=lambda plane: plane.order)
        space = Space.of_array((rows, columns), planes[0].spacing)
        return Stack([[plane] for plane in ordered], space, False, [])
    axes = _common_axes(planes)
    slices = _slices(planes, axes)
    counts = {len(group) for group in slices}
    if len(counts) > 1:
        raise FileFormatError(f"its {len(slices)} slice positions have from {min(counts)} to {max(counts)} pictures "
                              "each; some are missing, or they belong to several series")  # fmt: skip
    step, notes = _step(slices, axes)
    matrix = np.eye(4)
    row_step, column_step = planes[0].spacing
    matrix[:3, :3] = np.stack([step, axes[1] * row_step, axes[0] * column_step], axis=1)
    matrix[:3, 3] = _place(slices[0][0])
    space = Space((len(slices), rows, columns), torch.from_numpy(signs(3)[:, None] * matrix))
    frames = [[group[t] for group in slices] for t in range(len(slices[0]))]
    return Stack(frames, space, True, notes)


def _common_axes(planes: list[Plane]) -> np.ndarray:
    axes = [np.asarray(plane.axes, np.float64) for plane in planes]
    first = axes[0]
    lengths = np.linalg.norm(first, axis=1)
    if not np.isfinite(first).all() or np.abs(lengths - 1).max() > 0.01 or abs(first[0] @ first[1]) > 0.01:
        raise FileFormatError(
            f"its ImageOrientationPatient {first.ravel().tolist()} is not two unit vectors at right angles"
        )
    if any(np.abs(other - first).max() > 1e-3 for other in axes):
        raise FileFormatError(
            "its pictures have several orientations (a localiser?); give a folder with one volume only"
        )
    if len({plane.spacing for plane in planes}) > 1:
        raise FileFormatError("its pictures have several pixel spacings; give a folder with one volume only")
    return np.asarray(first / lengths[:, None])


def _slices(planes: list[Plane], axes: np.ndarray) -> list[list[Plane]]:
    """Planes grouped by place along the normal, each group in the order of time."""
    normal = np.cross(axes[0], axes[1])
    ordered = sorted(planes, key=lambda plane: float(normal @ _place(plane)))
    groups: list[list[Plane]] = []
    for plane in ordered:
        here = _place(plane)
        if groups and abs(normal @ (here - _place(groups[-1][0]))) < SAME_PLACE_MM:
            if np.abs(here - _place(groups[-1][0])).max() > SAME_PLACE_MM + 0.1 * min(plane.spacing):
                raise FileFormatError(
                    "its pictures lie at several places in one plane; give a folder with one volume only"
                )
            groups[-1].append(plane)
        else:
            groups.append([plane])
    return [sorted(group, key=lambda plane: plane.order) for group in groups]


def _step(slices: list[list[Plane]], axes: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(vector from one slice to the next, what the user must be told)."""
    if len(slices) == 1:
        return np.cross(axes[0], axes[1]) * slices[0][0].thickness, []
    places = np.stack([_place(group[0]) for group in slices])
    step = (places[-1] - places[0]) / (len(slices) - 1)
    away = np.abs(places - (places[0] + np.arange(len(slices))[:, None] * step)).max()
    gaps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    if gaps.max() > 1.5 * gaps.min():
        raise FileFormatError(f"its slices lie {gaps.min():.4g} to {gaps.max():.4g} mm apart: some are missing, or it "
                              "holds several volumes")  # fmt: skip
    if away > UNEVEN * float(np.linalg.norm(step)):
        return step, [f"its slices are not evenly spaced ({gaps.min():.4g} to {gaps.max():.4g} mm); they are treated "
                      f"as if all lay {np.linalg.norm(step):.4g} mm apart"]  # fmt: skip
    return step, []


def _place(plane: Plane) -> np.ndarray:
    position: np.ndarray = np.asarray(plane.position, np.float64)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise FileFormatError("its ImagePositionPatient is not three finite numbers")
    return position


def _listed(sizes: set[tuple[int, int]]) -> str:
    return ", ".join(f"{r} x {c}" for (r, c), _ in Counter(sizes).most_common(4))
