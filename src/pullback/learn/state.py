"""State: everything that a training carries from step to step, and its checkpoint.

Pairs and augmentations follow from the number of the step (see `data.pairs`), so that weights, Adam's moments and a few
numbers are the whole of it. A checkpoint is one file, replaced in one move: a kill at any moment leaves the old one or
the new one, and a training that is resumed takes the steps that it would have taken.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim.adam import adam

from pullback.errors import ModelError
from pullback.learn.networks import PairNetwork
from pullback.learn.recipe import Training
from pullback.learn.tensors import read_tensors, write_tensors
from pullback.learn.together import Together
from pullback.typing import Tensor

Weights = dict[str, Tensor]


@dataclass
class State:
    """A training between two steps.

    Attributes:
        model: the network that learns.
        weights: all of its weights in one piece.
        optimiser: Adam, on that piece.
        scaler: of the loss, for float16.
        average: running average of the weights; None without.
        best: the weights of the best validation so far.
        numbers: epoch (how many are done), best_score, waited (validations since the best).
        followed: the average and the weights as two lists, so that a step need not gather them.
    """

    model: PairNetwork
    weights: Together
    optimiser: torch.optim.Adam
    scaler: torch.amp.GradScaler
    average: Weights | None
    best: Weights
    numbers: dict[str, Any] = field(default_factory=lambda: {"epoch": 0, "best_score": None, "waited": 0})
    followed: tuple[list[Tensor], ...] = ()

    @classmethod
    def start(cls, model: PairNetwork, how: Training) -> State:
        """Before the first step."""
        device = next(model.parameters()).device
        weights = Together(model)
        adam = torch.optim.Adam([weights.whole], lr=how.learning_rate, fused=device.type in ("cpu", "cuda"))
        scaler = torch.amp.GradScaler(device.type, enabled=how.precision == "float16")
        return cls(model, weights, adam, scaler, None if how.average is None else copied(model), copied(model))

    @property
    def kept(self) -> Weights:
        """The weights that are validated: the average, or the last ones."""
        return copied(self.model) if self.average is None else self.average

    def judged(self, value: float) -> bool:
        """Take note of a validation's score; whether it is the best so far."""
        best = self.numbers["best_score"]
        better = best is None or value > best
        self.numbers["waited"] = 0 if better else self.numbers["waited"] + 1
        if better:
            self.numbers["best_score"] = value
            self.best = {name: tensor.clone() for name, tensor in self.kept.items()}
        return better

    def step(self, rate: float) -> None:
        """Move the weights by their gradients; without the ceremony around an Optimizer, where it can be left out."""
        kept, whole = self.optimiser.state.get(self.weights.whole), self.weights.whole
        group = self.optimiser.param_groups[0]
        group["lr"] = rate
        if self.scaler.is_enabled():
            self.scaler.step(self.optimiser)
            self.scaler.update()
        elif not kept:
            self.optimiser.step()  # the first one makes the moments
        else:
            assert whole.grad is not None
            first, second = group["betas"]
            with torch.no_grad():
                adam([whole], [whole.grad], [kept["exp_avg"]], [kept["exp_avg_sq"]], [], [kept["step"]],
                     foreach=False, fused=group["fused"], amsgrad=False, beta1=first, beta2=second, lr=rate,
                     weight_decay=0.0, eps=group["eps"], maximize=False)  # fmt: skip

    def follow(self, share: float | None) -> None:
        """Move the running average towards the weights."""
        if self.average is None or share is None:
            return
        if not self.followed or self.followed[0][0] is not next(iter(self.average.values())):  # anew, or loaded
            names = dict(self.model.named_parameters())
            self.followed = [self.average[name] for name in names], [p.detach() for p in names.values()]
        torch._foreach_lerp_(self.followed[0], self.followed[1], 1 - share)

    def save(self, path: Path, text: dict[str, Any]) -> None:
        """Write the checkpoint.

        Raises:
            InputError: it cannot be written.
        """
        tensors = {f"model/{name}": tensor for name, tensor in copied(self.model).items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.items()}
        tensors |= {f"average/{name}": tensor for name, tensor in (self.average or {}).items()}
        for key, value in self.optimiser.state.get(self.weights.whole, {}).items():
            parts = {"": value} if value.ndim == 0 else self.weights.parts(value)
            tensors |= {f"adam/{key}/{name}": part.clone() for name, part in parts.items()}
        write_tensors(path, tensors, text | {"numbers": self.numbers, "scaler": self.scaler.state_dict()})

    def load(self, path: Path) -> dict[str, Any]:
        """Go back to where a checkpoint was written; its text.

        Raises:
            ModelError: it is damaged, or of another network.
        """
        tensors, text = read_tensors(path)
        groups: dict[str, Weights] = {}
        for name, tensor in tensors.items():
            group, _, rest = name.partition("/")
            groups.setdefault(group, {})[rest] = tensor
        try:
            self.model.load_state_dict(groups["model"])
            device = next(self.model.parameters()).device
            self.best = {name: groups["best"][name].to(device) for name in self.best}
            if self.average is not None:
                self.average = {name: groups["average"][name].to(device) for name in self.average}
            moments = {key: torch.zeros_like(self.weights.whole) for key in ("exp_avg", "exp_avg_sq")}
            for key, whole in moments.items():
                for name, part in self.weights.parts(whole).items():
                    part.copy_(groups["adam"][f"{key}/{name}"])
            self.optimiser.state[self.weights.whole] = {"step": groups["adam"]["step/"].to(device), **moments}
            self.scaler.load_state_dict(text["scaler"])
            self.numbers = dict(text["numbers"])
        except (KeyError, RuntimeError, TypeError) as error:
            message = f"{path} is no checkpoint of this training ({' '.join(str(error).split())[:200]}); start anew"
            raise ModelError(message) from error
        return text


def copied(model: PairNetwork) -> Weights:
    """The weights as they are now."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def with_weights(model: PairNetwork, weights: Weights) -> PairNetwork:
    """The same network with other weights, for looking."""
    other = copy.deepcopy(model)
    other.load_state_dict(OrderedDict(weights))
    return other.eval()
