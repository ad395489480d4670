"""The heart over one beat: where each point of it goes."""

from pullback.cardiac.motion import Motion
from pullback.cardiac.tracked import Tracking
from pullback.cardiac.tracking import track

__all__ = ["Motion", "Tracking", "track"]
