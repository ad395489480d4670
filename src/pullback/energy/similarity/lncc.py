"""LNCC: local normalised cross-correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from pullback import ops
from pullback.energy.similarity.similarity import Similarity
from pullback.space import Space
from pullback.typing import Batch, Float, Shape, Tensor


@dataclass(frozen=True)
class LNCC(Similarity):
    """1 - the mean signed squared correlation in a box around each voxel: the workhorse for one sequence.

    Blind to slow changes of brightness (bias fields, coil shading), not to inverted contrast. See `ops.lncc`.

    Attributes:
        radius_voxels: half width of the box in voxels of the finest axis; other axes get the same reach in mm.
        floor: a variance that is added to those of every box, of images scaled to [0, 1]: contrast well below its root,
            3 % of the range by default, counts as none, so that noise does not pull. Smaller for clean images with
            faint edges.
        threshold: t, where a neighbourhood's own loss r (0 alike, 1 unlike, 2 opposed) begins to count less, as
            (1 + 1/t) r / (1 + r/t), so that what only one image shows pulls less; null for never.
        radii: half width along each axis, in voxels; set by `on` for each grid, or given outright.
    """

    radius_voxels: int = 2
    floor: float = 1e-3
    threshold: float | None = None
    radii: Shape | None = None

    unrelated: ClassVar[float] = 1.0

    def on(self, space: Space) -> LNCC:
        """The box in voxels of this grid: the same reach in mm along every axis, whatever the slice thickness."""
        if self.radii is not None:
            return self
        reach = self.radius_voxels * space.finest
        return replace(self, radii=tuple(round(reach / s) for s in space.spacing))

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        radii = self.radii or (self.radius_voxels,) * (fixed.ndim - 2)
        return ops.lncc(fixed, warped, radii, weight, self.floor, self.threshold or math.inf)
