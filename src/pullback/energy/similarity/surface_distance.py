"""SurfaceDistance: how far apart two contours or surfaces lie, whichever of their points belong together."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback.energy.similarity.landmark_distance import LandmarkDistance
from pullback.energy.similarity.similarity import Similarity
from pullback.typing import Float, Int, PointsTensor, Tensor


@dataclass(frozen=True)
class SurfaceDistance(Similarity):
    """Half the mean over points of either surface of (distance to the nearest point of the other / sigma)^2, each way.

    It needs points on contours or surfaces beside the images (`register(..., surfaces=...)`): as many as one likes of
    either, in any order. Which are nearest is found anew wherever the loss is asked for (Besl & McKay, IEEE
    Transactions on Pattern Analysis and Machine Intelligence 14(2), 1992); both ways, so that neither surface may
    shrink to a part of the other. Distances are to points: they should lie as close together as the answer is to be
    precise. Beyond `threshold` the square goes on as a straight line (Huber), for surfaces of which a part is missing.

    A `Term` may name one of several surfaces by its `images`; without a name it compares all that were given, as much
    each.

    Attributes:
        sigma_mm: how far apart surfaces may be for the loss to be 1.
        threshold: in sigmas, where the square becomes a line; null for squares all the way.
    """

    sigma_mm: float = 1.0
    threshold: float | None = None

    def loss(
        self,
        fixed: Float[Tensor, "b d m"],
        warped: Float[Tensor, "b d n"],
        weight: Float[Tensor, "b 1 n"] | None = None,
    ) -> Float[Tensor, " b"]:
        """The loss of each pair of surfaces of the batch.

        Args:
            fixed: points on the surface of the moving image, mm; what stays as the transform changes.
            warped: where the transform carries those of the fixed image, mm.
            weight: not used.
        """
        del weight
        return torch.stack([self._one(f.T, w.T) for f, w in zip(fixed, warped, strict=True)])

    @property
    def of_pairs(self) -> LandmarkDistance:
        """The measure of points that were told which of the others they belong to."""
        return LandmarkDistance(self.sigma_mm, self.threshold)

    def _one(self, there: PointsTensor, moved: PointsTensor) -> Float[Tensor, ""]:
        mine, others, counts = nearest_pairs(moved, there)
        gaps = (moved[mine] - there.to(moved)[others]).T[None]
        loss: Tensor = self.of_pairs.loss(torch.zeros_like(gaps), gaps, counts[None, None].to(gaps))[0]
        return loss


@torch.no_grad()
def nearest_pairs(
    one: Float[Tensor, "n d"], other: Float[Tensor, "m d"]
) -> tuple[Int[Tensor, " both"], Int[Tensor, " both"], Float[Tensor, " both"]]:
    """Each point of one set with the nearest of the other, then each of the other with the nearest of the one.

    Returns:
        Their numbers in the one set, in the other, and how much each pair counts: the n together as much as the m.

    Example:
        >>> line = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> [part.tolist() for part in nearest_pairs(line, torch.tensor([[0.9, 0.0]]))[:2]]
        [[0, 1, 1], [0, 0, 0]]
    """
    middle = other.mean(dim=0)
    here, there = (one - middle.to(one)).float(), (other - middle).to(one.device).float()
    n, m = len(here), len(there)
    mine = torch.cat([torch.arange(n, device=here.device), _nearest(there, here)])
    others = torch.cat([_nearest(here, there), torch.arange(m, device=here.device)])
    counts = torch.cat([here.new_full((n,), 0.5 / n), here.new_full((m,), 0.5 / m)])
    return mine, others, counts


def _nearest(points: Float[Tensor, "n d"], others: Float[Tensor, "m d"]) -> Int[Tensor, " n"]:
    apart = torch.cdist(points, others)
    if apart.device.type != "cpu":
        return apart.argmin(dim=1)
    return torch.from_numpy(apart.numpy().argmin(axis=1))  # a seventh of torch's time
