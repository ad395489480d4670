"""Regularisers: how unlikely a deformation is; one file each. In mm, so that a weight survives resampling."""

from pullback.energy.regulariser.bending import Bending
from pullback.energy.regulariser.curvature import Curvature
from pullback.energy.regulariser.diffusion import Diffusion
from pullback.energy.regulariser.elastic import Elastic
from pullback.energy.regulariser.folding import Folding
from pullback.energy.regulariser.incompressible import Incompressible
from pullback.energy.regulariser.local_rigidity import LocalRigidity
from pullback.energy.regulariser.penalty import deformations, penalty, regions
from pullback.energy.regulariser.regulariser import Regulariser
from pullback.energy.regulariser.regulariser_sum import RegulariserSum, RegulariserTerm
from pullback.energy.regulariser.sobolev import Sobolev
from pullback.energy.regulariser.total_variation import TotalVariation

__all__ = [
    "Bending",
    "Curvature",
    "Diffusion",
    "Elastic",
    "Folding",
    "Incompressible",
    "LocalRigidity",
    "Regulariser",
    "RegulariserSum",
    "RegulariserTerm",
    "Sobolev",
    "TotalVariation",
    "deformations",
    "penalty",
    "regions",
]
