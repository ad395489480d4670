"""SoftSpline: a second, soft spline for two contrasts that have enough in common to lead it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from pullback.energy import MIND, Bending, Energy, MutualInformation, Term, WeightedSum
from pullback.energy.pair import shared
from pullback.image import Image
from pullback.optimise import LBFGS, BSpline, Level, Schedule, Status
from pullback.registration.in_common import seen_by_both, shared_information
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.scatter import shrink_to
from pullback.registration.stage import LEAST_OVERLAP, Optimise, Stage, at_level
from pullback.transforms import Transform


@dataclass(frozen=True)
class SoftSpline(Stage):
    """Where two images share enough information, follow what they agree about at the finest levels.

    How soft a spline may be depends on how much two contrasts have in common: cine and T2 agree about few edges, and a
    soft spline follows those that mean nothing; T1 and T2 of a head agree about most, and a stiff one leaves a
    millimetre where a soft one leaves half of it. What they share is measured as they lie at the start (`in_common`).

    Attributes:
        least_shared: information that the images must share for the stage to do anything, see `Quality`.
        bending: what one unit of the bending energy costs.
        descriptors: weight of self-similarity (MIND, both forms) beside mutual information.
        spacing_voxels: between the control points of the spline, in voxels of the level.
        samples: at how many random places the images are compared, at most.
        most_voxels: at about so many the images are described, at most: larger ones are shrunk.
        steps: the most steps of each of the two levels, of two voxels and of one.
    """

    least_shared: float = 0.13
    bending: float = 200.0
    descriptors: float = 4.0
    spacing_voxels: float = 5.0
    samples: int = 50_000
    most_voxels: int = 1_000_000
    steps: int = 40

    finishes: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "soft spline"

    @property
    def work(self) -> float:
        """See `Stage`."""
        return float(self.steps)

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        finest = shrink_to(fixed.space, self.most_voxels)
        if shared(at_level(fixed, moving, Level(finest, 1)), initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        (fixed_image, fixed_mask), (moving_image, moving_mask) = _as_images(fixed), _as_images(moving)
        told = shared_information(seen_by_both(fixed_image, moving_image, initial, fixed_mask, moving_mask))
        note = f"the images share {told:.2f}"
        if not told >= self.least_shared:
            return Outcome(self.name, initial, Status.converged, notes=(f"{note}: left as it was",))
        outcome = self._spline(finest).run(fixed, moving, initial, watch)
        return replace(outcome, stage=self.name, notes=(note,))

    def _spline(self, finest: float) -> Optimise:
        both = WeightedSum((Term(MutualInformation(bins=32)), Term(MIND(form="both"), self.descriptors)))
        return Optimise(
            BSpline(spacing_voxels=self.spacing_voxels),
            Energy(both, Bending(), self.bending),
            LBFGS(),
            Schedule((Level(2 * finest, steps=self.steps), Level(finest, steps=self.steps))),
            samples=self.samples,
        )


def _as_images(prepared: Prepared) -> tuple[Image, Image | None]:
    """The image, and its mask."""
    mask = None if prepared.weight is None else Image(prepared.weight[0], prepared.space)
    return Image(prepared.data[0], prepared.space), mask
