"""Candidate: one of several transforms from which a registration might set out."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.transforms import Transform


@dataclass(frozen=True, eq=False)
class Candidate:
    """A transform, the loss where the images meet, and how much of the smaller one (of what counts) meets the other.

    Attributes:
        name: where it comes from, for people.
        transform: fixed world -> moving world.
        loss: of the part where the images meet.
        met: that part, 0 to 1.
    """

    name: str
    transform: Transform
    loss: float
    met: float

    def unlike(self, worst: float) -> float:
        """The loss, were everything that does not meet as bad as the worst candidate.

        Else one would win by hiding most of the images: few voxels always find something in common.
        """
        return self.met * self.loss + (1 - self.met) * worst
