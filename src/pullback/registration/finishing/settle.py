"""Settle: the last tenth of a voxel, where both images show one contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback import ops
from pullback.energy.pair import shared
from pullback.optimise import LBFGS, Level, Linear, Objective, Params, Solution, Status, minimise
from pullback.optimise.parametrisation.linear import Freedom
from pullback.registration.ends import without_ends
from pullback.registration.finishing.one_contrast import OneContrast
from pullback.registration.outcome import LevelHistory, Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.scatter import shrink_to
from pullback.registration.stage import LEAST_OVERLAP, Stage, at_level
from pullback.transforms import Affine, Transform
from pullback.typing import Float, Tensor

OPTIMISER = LBFGS(longest_voxels=1.0, shortest_voxels=0.001)
TOLERANCE = 1e-6
MOST_SHRINK = 2.0
"""Shrunk by more, correlation would be no more precise than mutual information at full resolution."""


@dataclass(frozen=True)
class Settle(Stage):
    """Improve a matrix by correlation at every voxel, from both sides, where the images turn out to be of one contrast.

    Mutual information is at home with any contrast, and pays for it: where one brightness means one thing in both
    images, correlation is more precise. And what is read between voxels is blurred: an image that was itself cut
    between the other's slices is sharper there than what it is compared with. So both images are read in turn, and the
    sum of the two root mean square differences, relative to the contrast, is made small: the side that explains the
    other better counts for more. A difference in smooth shading counts for nothing, and places that are far off at the
    start, which one image alone shows, count little (see `one_contrast`).

    Nothing changes where the correlation at the start is too low for one contrast, or for a start near the answer; nor
    in large volumes, of which mutual information has voxels enough.

    Attributes:
        freedom: what may change, see `Linear`.
        least_correlation: of the images at the start, shading aside, for the stage to do anything.
        most_voxels: at about so many the images are compared, at most: larger ones are shrunk.
        steps: the most steps.
    """

    freedom: Freedom = "rigid"
    least_correlation: float = 0.9
    most_voxels: int = 600_000
    steps: int = 20

    finishes: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "settle"

    @property
    def work(self) -> float:
        """See `Stage`."""
        return 2.0 * self.steps

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        level = Level(shrink_to(fixed.space, self.most_voxels), 1)
        if level.shrink > MOST_SHRINK:
            return Outcome(self.name, initial, Status.converged, notes=("many voxels: left as it was",))
        if not isinstance(initial, Affine):
            return Outcome(self.name, initial, Status.converged, notes=("starts from a deformation: left as it was",))
        there, back = (without_ends(at_level(*pair, level)) for pair in ((fixed, moving), (moving, fixed)))
        if shared(there, initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        sides = OneContrast.of(there, initial), OneContrast.of(back, initial.inverse())
        alike = sides[0].correlation(initial)
        if not alike >= self.least_correlation:
            note = f"correlation {alike:.2f}: left as it was"
            return Outcome(self.name, initial, Status.converged, notes=(note,))
        model = Linear(self.freedom)
        robust = sides[0].without_strangers(initial), sides[1].without_strangers(initial.inverse())
        solution = self._solved(model, robust, initial, watch)
        history = (LevelHistory(there.fixed_space.spacing, solution.history),)
        transform = model.build(solution.params) if solution.status.ok else initial
        return Outcome(self.name, transform, solution.status, history, notes=(f"correlation {alike:.2f}",))

    def _solved(self, model: Linear, sides: tuple[OneContrast, OneContrast], initial: Affine, watch: Watch) -> Solution:
        def loss(params: Params) -> Float[Tensor, ""]:
            transform = model.build(params)
            return sides[0].difference(transform) + sides[1].difference(transform.inverse())

        space = sides[0].pair.fixed_space
        with ops.reused():
            return minimise(
                Objective(loss, model),
                model.start(space, initial, "cpu"),
                OPTIMISER,
                steps=self.steps,
                unit_mm=space.finest,
                tolerance=TOLERANCE,
                watch=lambda k, value: watch(Step(self.name, 1, 1, k, self.steps, value, k / self.steps)),
            )
