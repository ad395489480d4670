"""Loss: what a training makes small, of any similarity and regulariser that the classical recipes know."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch.nn import functional

from pullback.energy import MSE, Regulariser, Similarity
from pullback.errors import RecipeError
from pullback.learn.data.pairs import PairBatch
from pullback.learn.networks.prediction import Prediction, warp
from pullback.space import Space
from pullback.typing import Batch, Float, Int, Tensor

EPSILON = 1e-6


@dataclass(frozen=True)
class Loss:
    """similarity + regulariser_weight x regulariser + label_weight x (1 - Dice) + inverse_weight x inverse error.

    Where a network gives both ways, the similarity and the labels are those of both, averaged.

    Attributes:
        similarity: how unlike fixed and warped are.
        regulariser: a penalty on the displacement, or on the velocity where the network predicts one, in mm.
        regulariser_weight: what one unit of it costs.
        label_weight: what labels that do not overlap at all cost; 0 trains without labels.
        inverse_weight: what a mm^2 of u(x) + v(x + u(x)) costs, v the way back; for networks that give both ways.
    """

    similarity: Similarity = field(default_factory=MSE)
    regulariser: Regulariser | None = None
    regulariser_weight: float = 0.0
    label_weight: float = 0.0
    inverse_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("regulariser_weight", "label_weight", "inverse_weight"):
            if not 0 <= getattr(self, name) < 1e12:
                raise RecipeError(f"{name} must be at least 0; got {getattr(self, name)}")

    def terms(self, batch: PairBatch, prediction: Prediction, space: Space) -> dict[str, Float[Tensor, ""]]:
        """Each part of the loss with its weight; their sum is what is minimised.

        Args:
            batch: the pairs.
            prediction: what the network said about them.
            space: their grid.

        Raises:
            RecipeError: labels or both ways are asked for, and there are none.
        """
        terms = {"similarity": self._alike(batch, prediction, space)}
        if self.regulariser is not None and self.regulariser_weight > 0:
            terms["smoothness"] = self.regulariser_weight * self._rough(prediction.vectors, space)
        if self.label_weight > 0:
            terms["labels"] = self.label_weight * self._apart(batch, prediction)
        if self.inverse_weight > 0:
            if prediction.inverse is None:
                raise RecipeError("inverse_weight needs a network that gives both ways: bidirectional: true")
            gap = prediction.displacement + warp(prediction.inverse, prediction.displacement)
            terms["inverse"] = self.inverse_weight * (in_mm(gap, space) ** 2).sum(dim=1).mean()
        return terms

    def _alike(self, batch: PairBatch, prediction: Prediction, space: Space) -> Tensor:
        loss = _unlike(self.similarity, batch.fixed, warp(batch.moving, prediction.displacement), space)
        if prediction.inverse is None:
            return loss
        back = _unlike(self.similarity, batch.moving, warp(batch.fixed, prediction.inverse), space)
        return (loss + back) / 2

    def _rough(self, vectors: Batch, space: Space) -> Tensor:
        """The regulariser of each field, on its own grid; the network's vectors are in voxels of that grid."""
        assert self.regulariser is not None
        coarse = any(n < wanted for n, wanted in zip(vectors.shape[2:], space.shape, strict=True))
        spacing = [s * (2 if coarse else 1) for s in space.spacing]
        own = Space.of_array(tuple(vectors.shape[2:]), spacing)
        fields = in_mm(vectors, own)
        return torch.stack([self.regulariser.loss(each, own) for each in fields]).mean()

    def _apart(self, batch: PairBatch, prediction: Prediction) -> Tensor:
        if batch.fixed_labels is None or batch.moving_labels is None:
            raise RecipeError("label_weight needs labels, and these pairs have none; set it to 0")
        there, loss = (batch.moving_labels, batch.fixed_labels), []
        ways = [(there, prediction.displacement)]
        if prediction.inverse is not None:
            ways.append((there[::-1], prediction.inverse))
        for (moving, fixed), displacement in ways:
            count = int(torch.maximum(moving.max(), fixed.max())) + 1
            warped = warp(one_hot(moving, count), displacement)
            loss.append(1 - soft_dice(one_hot(fixed, count), warped))
        return torch.stack(loss).mean()


def _unlike(similarity: Similarity, fixed: Batch, warped: Batch, space: Space) -> Tensor:
    """Mean over the batch; torch's own mean square where gradients are wanted is faster than the op at any size."""
    if isinstance(similarity, MSE):
        return functional.mse_loss(warped, fixed)
    return similarity.on(space).loss(fixed, warped).mean()


def in_mm(field: Batch, space: Space) -> Batch:
    """Displacements in voxels of a grid as mm along the world axes."""
    return torch.einsum("ij,bj...->bi...", space.linear.to(field), field)


def one_hot(labels: Int[Tensor, "b *shape"], count: int) -> Float[Tensor, "b labels *shape"]:
    """A channel for each label but the background."""
    return functional.one_hot(labels.long(), count).movedim(-1, 1)[:, 1:].to(torch.float32).contiguous()


def soft_dice(fixed: Batch, warped: Batch) -> Float[Tensor, ""]:
    """Mean of 2 sum(a b) / sum(a + b) over the labels that occur. Milletari et al., 3DV 2016 (here without squares)."""
    axes = tuple(range(2, fixed.ndim))
    both, either = 2 * (fixed * warped).sum(axes), (fixed + warped).sum(axes)
    occurs = fixed.sum(axes) > 0
    return (both / either.clamp(min=EPSILON))[occurs].mean() if bool(occurs.any()) else both.sum() * 0 + 1
