"""SplineFinish: a dense deformation said again with few numbers, where those explain the images better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from pullback import ops
from pullback.energy import NCC, Bending
from pullback.energy.energy import Compared, Energy
from pullback.energy.pair import shared
from pullback.optimise import LBFGS, BSpline, Level, Objective, Params, Solution, Status, minimise
from pullback.registration.finishing.one_contrast import OneContrast
from pullback.registration.outcome import LevelHistory, Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import LEAST_OVERLAP, Stage, at_level
from pullback.transforms import Affine, Displacement, Transform, split
from pullback.typing import Float, Tensor

OPTIMISER = LBFGS(longest_voxels=1.0, shortest_voxels=0.005)
TOLERANCE = 1e-4


@dataclass(frozen=True)
class SplineFinish(Stage):
    """Fit a stiff B-spline to the deformation so far, and improve it by correlation; keep it if it explains more.

    A dense field driven by local correlations is free to follow their noise: where the same tissue is seen twice,
    in one contrast, that is most of its error. There a spline under a bending energy has far fewer numbers, and the
    difference of the whole images is the measure that makes the most of each voxel. A difference in smooth shading
    counts for nothing (see `one_contrast`). Where the deformation is not as smooth as such a spline, where tissue
    has no counterpart, or where the contrast differs, the dense field explains the images better, and stays.

    Attributes:
        spacing_voxels: between the control points of the spline.
        bending: what one unit of the bending energy (1/mm^2) costs, of the relative root mean square difference.
        least_correlation: of the images under the field so far, shading aside, for the stage to do anything.
        tolerated: the difference that the spline may leave, in parts of that which the dense field leaves: that follows
            noise with thousands of numbers, and so leaves a few per cent too little.
        most_voxels: of the fixed image, likewise: it takes full resolution, and time.
        steps: the most steps.
    """

    spacing_voxels: float = 8.0
    bending: float = 15.0
    least_correlation: float = 0.98
    tolerated: float = 1.1
    most_voxels: int = 400_000
    steps: int = 30

    finishes: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "spline finish"

    @property
    def work(self) -> float:
        """See `Stage`."""
        return float(self.steps)

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        if fixed.space.count > self.most_voxels:
            return self._left(initial, "many voxels")
        pair = at_level(fixed, moving, Level(1.0, 1))
        if shared(pair, initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        affine, dense = split(initial, pair.fixed_space)
        if dense is None or not isinstance(affine, Affine):
            return self._left(initial, "nothing deforms")
        measure = OneContrast.of(pair, initial)
        alike = measure.correlation(initial)
        if not alike >= self.least_correlation:
            return self._left(initial, f"correlation {alike:.2f}")
        start = self._model.fitted(Displacement(dense, pair.fixed_space), affine)
        solution = self._solved(measure, start, watch)
        history = (LevelHistory(pair.fixed_space.spacing, solution.history),)
        spline = self._model.build(solution.params)
        with torch.no_grad():
            before, after = (float(measure.difference(t)) for t in (initial, spline))
        if not solution.status.ok or not after <= self.tolerated * before:
            return replace(
                self._left(initial, f"a difference of {before:.4f}, of the spline {after:.4f}"), history=history
            )
        field = self._model.build(replace(solution.params, initial=Affine.identity(fixed.space.dimension)))
        smooth = affine @ Displacement(field.displace(pair.fixed_space).to(dense), pair.fixed_space)
        note = f"difference {before:.4f}, of the spline {after:.4f}"
        return Outcome(self.name, smooth, solution.status, history, notes=(note,))

    @property
    def _model(self) -> BSpline:
        return BSpline(spacing_voxels=self.spacing_voxels)

    def _left(self, initial: Transform, why: str) -> Outcome:
        return Outcome(self.name, initial, Status.converged, notes=(f"{why}: left as it was",))

    def _solved(self, measure: OneContrast, start: Params, watch: Watch) -> Solution:
        stiff = Compared(Energy(NCC(), Bending(), self.bending), (), start.space)

        def loss(params: Params) -> Float[Tensor, ""]:
            spline = self._model.build(params)
            return measure.difference(spline) + stiff.penalty(spline)

        with ops.reused():
            return minimise(
                Objective(loss, self._model),
                start,
                OPTIMISER,
                steps=self.steps,
                unit_mm=start.space.finest,
                tolerance=TOLERANCE,
                watch=lambda k, value: watch(Step(self.name, 1, 1, k, self.steps, value, k / self.steps)),
            )
