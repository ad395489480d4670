"""SplineFinish: a dense deformation said again with few numbers, where those explain the images better."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch

from pullback import ops
from pullback.energy import Bending
from pullback.energy.energy import Compared, Energy
from pullback.energy.pair import shared
from pullback.energy.part import ImagePart
from pullback.optimise import LBFGS, BSpline, Level, Objective, Params, Solution, Status, minimise
from pullback.registration.one_contrast import difference, unshaded
from pullback.registration.outcome import LevelHistory, Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import LEAST_OVERLAP, Stage, at_level
from pullback.transforms import Affine, Displacement, Transform, split
from pullback.typing import Float, Tensor

TOLERANCE = 1e-4


@dataclass(frozen=True)
class SplineFinish(Stage):
    """Fit a stiff B-spline to the deformation so far, and improve it by correlation; keep it if it explains more.

    A dense field driven by local correlations is free to follow their noise: where the same tissue is seen twice, in
    one contrast, that is most of its error. There a spline under a bending energy has far fewer numbers, and the
    difference of the whole images is the measure that makes the most of each voxel. The shading is taken off first
    (`shading.shaded`). Where the deformation is not as smooth as such a spline, where tissue has no counterpart, or
    where the contrast differs, the dense field explains the images better, and stays.

    Attributes:
        model: the spline.
        bending: what one unit of the bending energy (1/mm^2) costs, of the relative root mean square difference.
        least_correlation: of the images under the field so far, shading aside, for the stage to do anything.
        tolerated: the difference that the spline may leave, in parts of that which the dense field leaves: that follows
            noise with thousands of numbers, and so leaves a few per cent too little.
        most_voxels: of the fixed image, likewise: it takes full resolution, and time.
        optimiser: how.
        steps: the most steps.
    """

    model: BSpline = field(default_factory=lambda: BSpline(spacing_voxels=8.0))
    bending: float = 10.0
    least_correlation: float = 0.98
    tolerated: float = 1.1
    most_voxels: int = 400_000
    optimiser: LBFGS = field(default_factory=lambda: LBFGS(longest_voxels=1.0, shortest_voxels=0.005))
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
        del watch
        if fixed.space.count > self.most_voxels:
            return self._left(initial, "many voxels")
        pair = at_level(fixed, moving, Level(1.0, 1))
        if shared(pair, initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        affine, dense = split(initial, pair.fixed_space)
        if dense is None or not isinstance(affine, Affine):
            return self._left(initial, "nothing deforms")
        part = unshaded(pair, initial)
        with torch.no_grad():
            alike, before = 1 - float(part.loss(initial)), float(difference(part, initial))
        if not alike >= self.least_correlation:
            return self._left(initial, f"correlation {alike:.2f}")
        start = self.model.fitted(Displacement(dense, pair.fixed_space), affine)
        solution = self._solved(part, start)
        history = (LevelHistory(pair.fixed_space.spacing, solution.history),)
        spline = self.model.build(solution.params)
        with torch.no_grad():
            after = float(difference(part, spline))
        if not solution.status.ok or not after <= self.tolerated * before:
            return replace(
                self._left(initial, f"a difference of {before:.4f}, of the spline {after:.4f}"), history=history
            )
        field = self.model.build(replace(solution.params, initial=Affine.identity(fixed.space.dimension)))
        smooth = affine @ Displacement(field.displace(pair.fixed_space).to(dense), pair.fixed_space)
        note = f"difference {before:.4f}, of the spline {after:.4f}"
        return Outcome(self.name, smooth, solution.status, history, notes=(note,))

    def _left(self, initial: Transform, why: str) -> Outcome:
        return Outcome(self.name, initial, Status.converged, notes=(f"{why}: left as it was",))

    def _solved(self, part: ImagePart, start: Params) -> Solution:
        stiff = Compared(Energy(part.similarity, Bending(), self.bending), (), start.space)

        def loss(params: Params) -> Float[Tensor, ""]:
            spline = self.model.build(params)
            return difference(part, spline) + stiff.penalty(spline)

        with ops.reused():
            return minimise(
                Objective(loss, self.model),
                start,
                self.optimiser,
                steps=self.steps,
                unit_mm=start.space.finest,
                tolerance=TOLERANCE,
            )
