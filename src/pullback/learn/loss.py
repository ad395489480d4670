"""Loss: what a training makes small, of any similarity and regulariser that the classical recipes know."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch.nn import functional

from pullback.energy import MSE, Diffusion, Regulariser, Similarity
from pullback.errors import RecipeError
from pullback.learn.data.pairs import PairBatch
from pullback.learn.networks import Prediction, warp
from pullback.space import Space
from pullback.typing import Batch, Float, Int, Tensor

EPSILON = 1e-6
ROUND_MM = 0.1


@dataclass(frozen=True)
class Loss:
    """similarity + regulariser_weight x regulariser + label_weight x (1 - Dice) + inverse_weight x inverse error + ...

    Where a network gives both ways, the similarity and the labels are those of both, averaged.

    Attributes:
        similarity: how unlike fixed and warped are.
        similarity_weight: what one unit of it costs; 0 leaves it to the other parts.
        regulariser: a penalty on the displacement, or on the velocity where the network predicts one, in mm.
        regulariser_weight: what one unit of it costs.
        label_weight: what labels that do not overlap at all cost; 0 trains without labels.
        inverse_weight: what a mm^2 of u(x) + v(x + u(x)) costs, v the way back; for networks that give both ways.
        truth_weight: what a mm of mean end-point error costs, for pairs whose displacement is known; of all voxels and
            of those that carry a label, half and half.
    """

    similarity: Similarity = field(default_factory=MSE)
    regulariser: Regulariser | None = None
    regulariser_weight: float = 0.0
    label_weight: float = 0.0
    inverse_weight: float = 0.0
    similarity_weight: float = 1.0
    truth_weight: float = 0.0

    def __post_init__(self) -> None:
        for name in ("regulariser_weight", "label_weight", "inverse_weight", "similarity_weight", "truth_weight"):
            if not 0 <= getattr(self, name) < 1e12:
                raise RecipeError(f"{name} must be at least 0; got {getattr(self, name)}")

    def terms(self, batch: PairBatch, prediction: Prediction, space: Space) -> dict[str, Float[Tensor, ""]]:
        """Each part of the loss with its weight; their sum is what is minimised.

        Args:
            batch: the pairs.
            prediction: what the network said about them.
            space: their grid.

        Raises:
            RecipeError: labels, known answers or both ways are asked for, and there are none.
        """
        terms = {}
        if self.similarity_weight > 0:
            alike = self._alike(batch, prediction, space)
            terms["similarity"] = alike if self.similarity_weight == 1 else self.similarity_weight * alike
        if self.regulariser is not None and self.regulariser_weight > 0:
            terms["smoothness"] = self.regulariser_weight * self._rough(prediction.vectors, space)
        if self.label_weight > 0:
            terms["labels"] = self.label_weight * self._apart(batch, prediction)
        if self.inverse_weight > 0:
            if prediction.inverse is None:
                raise RecipeError("inverse_weight needs a network that gives both ways: bidirectional: true")
            gap = prediction.displacement + warp(prediction.inverse, prediction.displacement)
            terms["inverse"] = self.inverse_weight * (in_mm(gap, space) ** 2).sum(dim=1).mean()
        if self.truth_weight > 0:
            terms["truth"] = self.truth_weight * _missed(batch, prediction, space)
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
        if isinstance(
            self.regulariser, Diffusion
        ):  # a sum over components: those of a batch are as good as one field's
            return self.regulariser.loss(fields.flatten(0, 1), own) / len(fields)
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


def _missed(batch: PairBatch, prediction: Prediction, space: Space) -> Tensor:
    """Mean end-point error in mm; rounded off near 0, so that its gradient does not jump there."""
    if batch.truth is None:
        raise RecipeError("truth_weight needs pairs whose displacement is known, and these are not (augmentation "
                          "drops what is known); set it to 0")  # fmt: skip
    square = (in_mm(prediction.displacement - batch.truth, space) ** 2).sum(dim=1)
    gap = (square + ROUND_MM**2).sqrt() - ROUND_MM
    if batch.fixed_labels is None:
        return gap.mean()
    where = (batch.fixed_labels > 0).to(gap)
    return (gap.mean() + (gap * where).sum() / where.sum().clamp(min=1)) / 2


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
    occurs = (fixed.sum(axes) > 0).to(both)
    count = occurs.sum()
    return torch.where(count > 0, (both / either.clamp(min=EPSILON) * occurs).sum() / count.clamp(min=1), 1.0)
