"""Initialisation: stages that find where to begin, from centres to searches over poses and displacements."""

from pullback.registration.initialisation.align_centres import AlignCentres
from pullback.registration.initialisation.block_matching import BlockMatching
from pullback.registration.initialisation.convex import ConvexSearch
from pullback.registration.initialisation.nudge import Nudge
from pullback.registration.initialisation.search import Search

__all__ = ["AlignCentres", "BlockMatching", "ConvexSearch", "Nudge", "Search"]
