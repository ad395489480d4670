"""Unfold: smooth a displacement there, and only there, where it folds or is about to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from pullback import ops
from pullback.evaluate.nondiffeomorphic import smallest_volume
from pullback.optimise import Status
from pullback.registration.outcome import Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import Stage
from pullback.transforms import BSpline, Composite, Displacement, Flow, Transform, Velocity
from pullback.transforms.composite import chain
from pullback.typing import Field, Shaped, Tensor

EASING = 0.7
"""Sigma of the Gaussian with which a round smooths and fades out around what it smooths, in parts of its reach."""
WIDER_AFTER = 5
"""Rounds after which a round reaches one voxel farther."""


@dataclass(frozen=True)
class Unfold(Stage):
    """Make a deformation turn no voxel over, at the least expense.

    Small smooth steps cannot fold what they are composed to; on a grid, linear between the vectors, some voxels in a
    million fold all the same. There, and in voxels around, the displacement is blended with its smoothed self until
    every corner of every voxel keeps some of its volume. Far from those it stays as it was. Each displacement of a
    chain is mended by itself; a spline or a velocity that folds becomes a displacement on the fixed image's grid;
    what a symmetric stage found is left alone.

    Where much folds, nothing is done: then folds are not what is wrong, and the registration's status shall say so.

    Attributes:
        least_volume: what every corner of a voxel must keep of its volume.
        most_percent: of the voxels, with a fold at a corner: more than so many are too many to be mended.
        most_rounds: how often to smooth, at most.
    """

    least_volume: float = 0.02
    most_percent: float = 5.0
    most_rounds: int = 50

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "unfold"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`: what the images show does not matter."""
        whole = chain(initial)
        parts = whole.parts if isinstance(whole, Composite) else (whole,)
        if isinstance(parts[-1], BSpline | Velocity | Flow):
            dense = Displacement(parts[-1].displace(fixed.space).to(torch.float32), fixed.space)
            parts = (*parts[:-1], dense) if bool(self._tight(dense).any()) else parts
        notes: list[str] = []
        mended = [self._mended(part, notes, watch) if isinstance(part, Displacement) else part for part in parts]
        changed = any(new is not old for new, old in zip(mended, parts, strict=True))
        return Outcome(self.name, chain(*mended) if changed else initial, Status.converged, notes=tuple(notes))

    def _mended(self, dense: Displacement, notes: list[str], watch: Watch) -> Displacement:
        volume = smallest_volume(dense.field, dense.space)
        tight = volume < self.least_volume
        count, folded = int(tight.sum()), 100 * float((volume <= 0).to(torch.float32).mean())
        if not count:
            return dense
        if folded > self.most_percent or not bool(torch.isfinite(dense.field).all()):
            notes.append(f"{folded:.2g} % of the voxels fold: left as it was")
            return dense
        first = count
        for k in range(self.most_rounds):
            watch(Step(self.name, 1, 1, k + 1, self.most_rounds, float(count), (k + 1) / self.most_rounds))
            dense = replace(dense, field=eased(dense.field, tight, reach=1 + k // WIDER_AFTER))
            tight = self._tight(dense)
            count = int(tight.sum())
            if not count:
                break
        notes.append(f"smoothed around {first} voxels that folded or nearly did; {count} are left")
        return dense

    def _tight(self, dense: Displacement) -> Shaped[Tensor, "*spatial"]:
        return smallest_volume(dense.field, dense.space) < self.least_volume


def eased(field: Field, where: Shaped[Tensor, "*spatial"], reach: int) -> Field:
    """The field, smoothed within so many voxels of some, and less and less beyond.

    Args:
        field: (D, *shape).
        where: (*shape), the voxels in the middle, true.
        reach: voxels.
    """
    widest = nn.functional.max_pool2d if where.ndim == 2 else nn.functional.max_pool3d
    near = widest(where[None, None].to(field), 2 * reach + 1, stride=1, padding=reach)
    sigmas = (EASING * reach,) * where.ndim
    share = ops.smooth(near, sigmas)[0].clamp(0, 1)
    return field + share * (ops.smooth(field[None], sigmas)[0] - field)
