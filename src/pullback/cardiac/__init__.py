"""The heart over one beat: where each point of it goes, and how its wall is stretched."""

from pullback.cardiac.motion import Motion
from pullback.cardiac.strain import SECTORS, Strain, green_lagrange, strain
from pullback.cardiac.tracked import Tracking
from pullback.cardiac.tracking import track

__all__ = ["SECTORS", "Motion", "Strain", "Tracking", "green_lagrange", "strain", "track"]
