"""ConvexSearch: a coarse deformation from a search over displacements, for motion that descent would not find."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import product

import torch

from pullback import ops
from pullback.energy import MIND, Pair, Similarity
from pullback.energy.energy import shared
from pullback.optimise import Level, Status
from pullback.registration.initialisation.coupled import costs, coupled, met_halfway
from pullback.registration.outcome import Outcome, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import LEAST_OVERLAP, Stage, at_level
from pullback.space import Space
from pullback.transforms import Displacement, Transform
from pullback.transforms.apply import reading
from pullback.typing import Batch, Field, Tensor

MOST_COSTS = 60_000_000
"""So many costs are held at once (4 bytes each); where the window and the grid ask for more, the grid is coarser."""
COARSER = 1.2
"""By this factor, as often as needed."""


@dataclass(frozen=True)
class ConvexSearch(Stage):
    """Look up the cost of every displacement in a window at each place of a coarse grid; take the smoothest cheap ones.

    No descent, and so no local minimum of the images' brightness to be caught in: only what the window does not reach
    stays out of reach (see `coupled`; with descriptors, both ways and before a refinement by descent, as by Siebert et
    al., ConvexAdam, IEEE Transactions on Medical Imaging 44(2), 2025). The answer is coarse: a stage that descends
    should follow. A deformation to start from is kept, and the search is for what is left.

    Attributes:
        reach_mm: the farthest that a place may be displaced along each axis.
        spacing_mm: of the grid of places, and from one displacement to the next.
        shrink: voxel size at which features are computed, in voxels of the fixed image's finest axis.
        smooth_steps: sigma of the Gaussian that keeps neighbours together, in places of the grid.
        similarity: whose features are compared; brightness where it has none.
        symmetric: search the other way round too, and meet half way: where the two contradict each other, both yield.
    """

    reach_mm: float = 24.0
    spacing_mm: float = 6.0
    shrink: float = 2.0
    smooth_steps: float = 1.5
    similarity: Similarity = field(default_factory=MIND)
    symmetric: bool = True

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "convex search"

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        del watch
        pair = at_level(fixed, moving, Level(self.shrink, 1))
        if shared(pair, initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        places, reach = self._places(pair.fixed_space)
        found = self._found(pair, initial, places, reach)
        most = float(found.norm(dim=0).max())
        notes = (f"displaced by up to {most:.1f} mm, on a grid of {places.finest:.1f} mm",)
        return Outcome(self.name, initial @ Displacement(found, places), Status.converged, notes=notes)

    def _places(self, space: Space) -> tuple[Space, list[int]]:
        """The grid of places, and how many of its steps the window reaches along each axis to either side."""
        step = self.spacing_mm
        while True:
            shape = [max(1, round(e / max(step, s))) if n > 1 else 1
                     for e, s, n in zip(space.extent, space.spacing, space.shape, strict=True)]  # fmt: skip
            places = space.resized(shape)
            reach = [math.ceil(self.reach_mm / mm) if n > 1 else 0 for mm, n in zip(places.spacing, shape, strict=True)]
            if math.prod(shape) * math.prod(2 * r + 1 for r in reach) <= MOST_COSTS:
                return places, reach
            step *= COARSER

    def _found(self, pair: Pair, initial: Transform, places: Space, reach: list[int]) -> Field:
        """The displacement in mm along the world axes, on the grid of places."""
        margin = [r if n > 1 else 0 for r, n in zip(reach, places.shape, strict=True)]
        wide = places.crop([-m for m in margin], [n + m for m, n in zip(margin, places.shape, strict=True)])
        here, known = self._features(pair.fixed, pair.fixed_weight, pair.fixed_space, places)
        there = self._pulled(pair, initial, places, wide)
        window = [torch.tensor(step, dtype=torch.float64) for step in product(*[range(-r, r + 1) for r in reach])]
        steps = torch.stack(window).to(here)
        first = torch.eye(places.dimension + 1, dtype=torch.float64)[:-1]
        ahead = first.clone()
        ahead[:, -1] = torch.tensor(margin, dtype=torch.float64)
        voxels = coupled(costs(here, there, ahead, window, known), steps, places.shape, self.smooth_steps)
        if self.symmetric:
            middle = ops.sample(there, ahead, shape=places.shape)
            table = costs(middle, here, first, window, known)
            voxels = met_halfway(voxels, coupled(table, steps, places.shape, self.smooth_steps))
        return torch.einsum("ij,j...->i...", places.linear.to(voxels), voxels)

    def _pulled(self, pair: Pair, initial: Transform, places: Space, wide: Space) -> Batch:
        """Features of the moving image as the start pulls it back, on the grid of places and beyond its rim."""
        ratio = [max(1, round(f / n)) for f, n in zip(pair.fixed_space.shape, places.shape, strict=True)]
        fine = wide.resized([n * r for n, r in zip(wide.shape, ratio, strict=True)])
        warped = ops.sample(pair.moving, *reading(initial, pair.moving_space, fine), shape=fine.shape)
        return self._features(warped, None, fine, wide)[0]

    def _features(self, image: Batch, weight: Batch | None, space: Space, places: Space) -> tuple[Batch, Tensor]:
        """An image's features, averaged over the voxels about each place; and how much each place counts."""
        found = self.similarity.on(space).features(image)
        averaged = ops.resize(image if found is None else found, places.shape)
        known = torch.ones_like(averaged[:, :1]) if weight is None else ops.resize(weight, places.shape)
        return averaged, known[0, 0]
