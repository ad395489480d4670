"""MIND: the difference of self-similarity descriptors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch

from pullback import ops
from pullback.energy.similarity.mse import MSE
from pullback.energy.similarity.similarity import Similarity
from pullback.space import Space
from pullback.typing import Batch, Float, Shape, Tensor


@dataclass(frozen=True)
class MIND(Similarity):
    """The mean squared difference of descriptors of each voxel's surroundings: local, and for different contrasts.

    A descriptor tells which patches about a voxel are alike, and not how bright they are; see `ops.mind`. Those of both
    images are computed once for a level and then read as channels (`pullback.energy.described`): where it reads, the
    moving image's surroundings are those of its own grid, laid along the fixed image's axes when the level starts. What
    turns during the level is neglected, as by Heinrich et al., MICCAI 2013. Called on a warped image outright, the
    measure describes the warped image afresh, which is exact and slow. A mask leaves voxels out of the mean, but not
    out of their neighbours' patches.

    Attributes:
        radius_voxels: half width of the patches in voxels of the finest axis; other axes get the same reach in mm.
        dilation_voxels: how far off the compared patches are, likewise; not below a voxel on any axis that has several.
        form: "ssc" compares neighbours with each other, "plain" with the middle, which noise there disturbs more;
            "both" has the channels of the two, whose mistakes are not the same.
        radii: half width along each axis, in voxels; set by `on` for each grid, or given outright.
        dilations: distance along each axis, likewise.
    """

    radius_voxels: int = 1
    dilation_voxels: int = 2
    form: Literal["ssc", "plain", "both"] = "ssc"
    radii: Shape | None = None
    dilations: Shape | None = None

    has_features: ClassVar[bool] = True

    def on(self, space: Space) -> MIND:
        """Patches and distances in voxels of this grid: the same reach in mm along every axis, none across a slice."""
        voxels = [space.finest / s if n > 1 else 0.0 for s, n in zip(space.spacing, space.shape, strict=True)]
        radii = tuple(round(self.radius_voxels * v) for v in voxels)
        far = tuple(max(1, round(self.dilation_voxels * v)) if v > 0 else 0 for v in voxels)
        return replace(self, radii=self.radii or radii, dilations=self.dilations or far)

    def features(self, image: Batch) -> Batch:
        """See `Similarity`: 12 channels for each of a 3-D image, 4 of a 2-D one (plain: 6 and 4; both: 18 and 8)."""
        d = image.ndim - 2
        radii, dilations = self.radii or (self.radius_voxels,) * d, self.dilations or (self.dilation_voxels,) * d
        if self.form == "both":
            return torch.cat([ops.mind(image, radii, dilations, form) for form in ("ssc", "plain")], dim=1)
        return ops.mind(image, radii, dilations, self.form)

    def of_features(self) -> MSE:
        """See `Similarity`."""
        return MSE()

    def loss(self, fixed: Batch, warped: Batch, weight: Batch | None = None) -> Float[Tensor, " b"]:
        """See `Similarity`."""
        return MSE().loss(self.features(fixed), self.features(warped), weight)
