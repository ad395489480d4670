"""Unfold: smooth a displacement there, and only there, where it folds or is about to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from pullback import ops
from pullback.evaluate.nondiffeomorphic import smallest_volume
from pullback.optimise import Status
from pullback.registration.outcome import Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import Stage
from pullback.transforms import Composite, Displacement, Transform
from pullback.transforms.composite import chain
from pullback.typing import Field, Shaped, Tensor

EASING = 0.7
"""Sigma of the Gaussian with which a round smooths and fades out around what it smooths, in parts of its reach."""
WIDER_AFTER = 5
"""Rounds after which a round reaches one voxel farther."""


@dataclass(frozen=True)
class Unfold(Stage):
    """Make a dense displacement turn no voxel over, at the least expense.

    Small smooth steps cannot fold what they are composed to; on a grid, linear between the vectors, some voxels in a
    million fold all the same. There, and in voxels around, the displacement is blended with its smoothed self until
    every corner of every voxel keeps some of its volume. Far from those it stays as it was.

    Attributes:
        least_volume: what every corner of a voxel must keep of its volume.
        most_rounds: how often to smooth, at most.
    """

    least_volume: float = 0.02
    most_rounds: int = 50

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "unfold"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`: the images do not matter, and what holds no displacement stays as it is."""
        whole = chain(initial)
        parts = whole.parts if isinstance(whole, Composite) else (whole,)
        dense = parts[-1]
        if not isinstance(dense, Displacement):
            return Outcome(self.name, initial, Status.converged, notes=("no field: left as it was",))
        field, tight = dense.field, self._tight(dense)
        first = int(tight.sum())
        for k in range(self.most_rounds):
            left = int(tight.sum())
            if not left:
                break
            watch(Step(self.name, 1, 1, k + 1, self.most_rounds, float(left), (k + 1) / self.most_rounds))
            field = eased(field, tight, reach=1 + k // WIDER_AFTER)
            tight = self._tight(replace(dense, field=field))
        if not first:
            return Outcome(self.name, initial, Status.converged)
        note = f"smoothed around {first} voxels that folded or nearly did; {int(tight.sum())} are left"
        return Outcome(self.name, chain(*parts[:-1], replace(dense, field=field)), Status.converged, notes=(note,))

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
