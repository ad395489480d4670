"""replay: the loss, the gradient and its length of a dense model on a GPU, all of one step recorded and replayed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from pullback import ops
from pullback.energy import LNCC, MSE, NCC, Compared
from pullback.energy.part import ImagePart
from pullback.optimise import SVF, Greedy, Parametrisation, Params
from pullback.typing import Tensor


class Replay:
    """Params -> loss, preconditioned gradient, its length: what `Objective.whole` is on a GPU.

    The program waits once, for two numbers.
    """

    def __init__(self, compared: Compared, model: Parametrisation) -> None:
        self.compared, self.model = compared, model
        self.step: ops.Replayed | None = None

    def __call__(self, params: Params) -> tuple[float, Tensor, float]:
        """See `Objective`."""
        if self.step is None:  # all but the values stays the same on one level
            known = replace(params, values=params.values[:0])
            self.step = ops.Replayed(partial(_step, self.compared, self.model, known))
        numbers, gradient = self.step(params.values)
        loss, length = numbers.tolist()
        return loss, gradient.clone(), length  # the next step overwrites its own


def _step(compared: Compared, model: Parametrisation, known: Params, values: Tensor) -> tuple[Tensor, Tensor]:
    """(loss and length, gradient)."""
    params = replace(known, values=values)
    (part,) = compared.parts
    assert isinstance(part, ImagePart)
    loss, force = part.pull(model.build(params), params.space)
    gradient = model.precondition(params, force)
    return torch.stack([loss, ops.longest(gradient).to(loss)]), gradient


def replay(compared: Compared, model: Parametrisation) -> Replay | None:
    """A replay where there is nothing in a step that waits for the GPU; else None."""
    part = compared.parts[0]
    if len(compared.parts) > 1 or not isinstance(part, ImagePart) or compared.energy.regulariser is not None:
        return None
    pair, steady = part.pair, isinstance(part.similarity, LNCC | MSE | NCC)
    here = pair.fixed.device.type == "cuda" and pair.scatter is None
    dense = isinstance(model, Greedy | SVF) and model.composed and 1 not in pair.fixed_space.shape
    own = pair.fixed_space is compared.space
    return Replay(compared, model) if steady and here and dense and own else None
