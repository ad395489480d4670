"""Motion: what the displacements of a cine come to, in a few numbers for each frame."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.evaluate.deformation import jacobian_map
from pullback.registration.percentiles import percentiles
from pullback.space import Space
from pullback.typing import Batch, Field, Float, Shaped, Tensor

TAIL_PERCENT = 95.0


@dataclass(frozen=True)
class Motion:
    """Figures on each frame's displacement from the fixed frame, over a region of that or the whole field of view.

    Attributes:
        mean_mm: mean length of the displacement.
        tail_mm: 95 % of it is below this.
        apart_mm: mean distance between where the walk forward and the walk backward in time led; both are blended, and
            the finer levels go on from there. None where frames are not of one beat.
        jacobian_min: smallest local volume change (1 is none; not positive is folding).
        fold_percent: share of the voxels of the field of view where it is not positive, in percent.
        drift_mm: mean distance between points of the fixed frame and where they come to when the tracked motion to the
            last frame of the beat is followed by that from there back to the fixed frame, which was found by itself. 0
            is perfect; None where frames are not of one beat.
    """

    mean_mm: tuple[float, ...]
    tail_mm: tuple[float, ...]
    apart_mm: tuple[float, ...] | None
    jacobian_min: tuple[float, ...]
    fold_percent: tuple[float, ...]
    drift_mm: float | None

    @property
    def farthest_frame(self) -> int:
        """The frame that moved most: the end of systole, if the fixed frame is the end of diastole."""
        return max(range(len(self.mean_mm)), key=self.mean_mm.__getitem__)


def measure_motion(
    displacements: Batch,
    space: Space,
    region: Shaped[Tensor, "*shape"] | None,
    apart: Batch | None,
    closed: Field | None,
) -> Motion:
    """Sum up what was found.

    Args:
        displacements: (T, D, *shape) mm, of each frame.
        space: the grid that carries them.
        region: (*shape), where to look; everywhere if None.
        apart: (T, 1, *shape) mm, between where the two walks led.
        closed: (D, *shape) mm, the displacement after a whole beat.
    """
    lengths = [_inside(field.norm(dim=0), region) for field in displacements]
    jacobians = [jacobian_map(field, space) for field in displacements]
    return Motion(
        mean_mm=tuple(float(length.mean()) for length in lengths),
        tail_mm=tuple(percentiles(length, (TAIL_PERCENT,))[0] for length in lengths),
        apart_mm=None if apart is None else tuple(float(_inside(field[0], region).mean()) for field in apart),
        jacobian_min=tuple(float(jacobian.min()) for jacobian in jacobians),
        fold_percent=tuple(100 * float((jacobian <= 0).float().mean()) for jacobian in jacobians),
        drift_mm=None if closed is None else float(_inside(closed.norm(dim=0), region).mean()),
    )


def _inside(values: Float[Tensor, "*shape"], region: Tensor | None) -> Float[Tensor, " n"]:
    return values.flatten() if region is None else values[region]
