"""stepping: parts of a step that stand alone: what the network says in a precision, and the learning rate."""

from __future__ import annotations

import math

import torch

from pullback.learn.data import PairBatch
from pullback.learn.networks import PairNetwork, Prediction
from pullback.learn.recipe import Training

TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def predicted(model: PairNetwork, batch: PairBatch, precision: str = "float32") -> Prediction:
    """What the network says, its arithmetic in another precision if wanted; the displacements in float32 always."""
    if precision == "float32":
        return model(batch.fixed, batch.moving)  # type: ignore[no-any-return]
    with torch.autocast(batch.fixed.device.type, TYPES[precision]):
        said = model(batch.fixed, batch.moving)
    inverse = None if said.inverse is None else said.inverse.float()
    return Prediction(said.displacement.float(), said.vectors.float(), inverse)


def learning_rate(how: Training, step: int) -> float:
    """Of a step, from 0: a warm-up along a line, then constant or down half a cosine."""
    rate = how.learning_rate * min(1.0, (step + 1) / max(how.warm_up, 1))
    if how.decay == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / (how.epochs * how.steps)))
    return rate
