"""Prediction: what a network says about a batch of pairs, in voxels of their grid."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.typing import Batch, Float, Tensor


@dataclass(frozen=True, eq=False)
class Prediction:
    """Displacements from fixed voxels to moving voxels.

    Attributes:
        displacement: (b, D, *shape) voxels: warped(v) = moving(v + displacement(v)).
        vectors: (b, D, *coarse), what a regulariser should see: the velocity where the network predicts one, else the
            displacement, as the network gave it, in voxels of its own (perhaps coarser) grid.
        inverse: (b, D, *shape) voxels, from moving to fixed, where the network gives both ways; else None.
        affine: (b, D, D+1), fixed voxels to moving voxels, where the displacement is nothing but that; else None.
    """

    displacement: Batch
    vectors: Batch
    inverse: Batch | None = None
    affine: Float[Tensor, "_b _d _columns"] | None = None
