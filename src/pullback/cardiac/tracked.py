"""Tracking: the result of `track`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pullback.cardiac.motion import Motion
from pullback.errors import SpaceError
from pullback.image import Image, Labels
from pullback.optimise import Status
from pullback.registration import Recipe
from pullback.transforms import Transform, resample, resample_labels

SAME_GRID_VOXELS = 0.05


@dataclass(frozen=True, eq=False)
class Tracking:
    """Where each point of the fixed frame has gone: a point x of it is at `transforms[t](x)` in frame t.

    Images are pulled back: `warped(t)` looks like the fixed frame. Points and contours drawn on the fixed frame go
    forward by the transform itself, and labels of the fixed frame by its inverse (`labels`).

    Attributes:
        frames: the cine.
        fixed_frame: which of them was followed.
        transforms: fixed world -> world of each frame, mm; the identity for the fixed frame itself.
        motion: figures for each frame.
        status: how it ended.
        recipe: what was run.
        cyclic: whether the frames were taken for one beat.
        seconds: wall time.
        kernels: for each op the kernel that ran.
        provenance: versions, threads, device, time, and where the cine came from.
    """

    frames: tuple[Image, ...]
    fixed_frame: int
    transforms: tuple[Transform, ...]
    motion: Motion
    status: Status
    recipe: Recipe
    cyclic: bool
    seconds: float = 0.0
    kernels: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the result may be used; if not, `message` says why."""
        return self.status.ok

    @property
    def message(self) -> str:
        """How it ended, in a sentence."""
        return self.status.value

    @property
    def fixed(self) -> Image:
        """The frame whose points were followed."""
        return self.frames[self.fixed_frame]

    def warped(self, frame: int) -> Image:
        """A frame pulled back onto the fixed one, read linearly."""
        return resample(self.frames[frame], self.transforms[frame], self.fixed.space, outside=None)

    def labels(self, fixed_labels: Labels) -> Iterator[Labels]:
        """Labels of the fixed frame carried to each frame in turn, nearest label.

        Raises:
            SpaceError: the labels do not lie on the fixed frame.
        """
        check_labels(fixed_labels, self.fixed)
        for transform, frame in zip(self.transforms, self.frames, strict=True):
            yield resample_labels(fixed_labels, transform.inverse(), frame.space)

    def save(self, folder: str | Path) -> Path:
        """Write the displacements, the pulled-back frames and the figures into a folder; see `cine.save`."""
        from pullback.cardiac.cine import save  # noqa: PLC0415 - it draws, and only who saves needs that

        return save(self, folder)

    def __repr__(self) -> str:
        m = self.motion
        return (f"Tracking({len(self.frames)} frames from frame {self.fixed_frame}: {self.status.name}, "
                f"{self.seconds:.2f} s, up to {m.mean_mm[m.farthest_frame]:.3g} mm in the mean)")  # fmt: skip


def check_labels(labels: Labels, fixed: Image) -> None:
    """Raise a SpaceError where labels do not lie on the fixed frame."""
    if labels.dimension != fixed.dimension or not labels.space.same_as(fixed.space, SAME_GRID_VOXELS):
        raise SpaceError(f"the labels lie on {labels.space!r} but the fixed frame on {fixed.space!r}; resample them "
                         "onto it first")  # fmt: skip
