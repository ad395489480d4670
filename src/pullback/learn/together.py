"""together: all weights of a network in one piece of memory, so that a step of Adam is one call and not twenty.

For pictures of 32 x 32 voxels the calls for each layer cost as much as the arithmetic. The layers keep tensors
of their own shapes, which are views.
"""

from __future__ import annotations

import torch
from torch import nn

from pullback.typing import Tensor


class Together:
    """The weights of a network as one parameter.

    Args:
        model: its parameters become views of `whole`, their gradients views of `whole.grad`, which stays for good: set
            it to zero, never to None.
    """

    def __init__(self, model: nn.Module) -> None:
        parameters = dict(model.named_parameters())
        first = next(iter(parameters.values()))
        size = sum(p.numel() for p in parameters.values())
        self.whole = nn.Parameter(torch.empty(size, dtype=first.dtype, device=first.device))
        self.whole.grad = torch.zeros_like(self.whole)
        self._places: dict[str, tuple[tuple[int, ...], tuple[int, ...], int]] = {}
        start = 0
        for name, p in parameters.items():
            self._places[name] = tuple(p.shape), tuple(p.stride()), start
            start += p.numel()
            view = self.of(self.whole.detach(), name)
            view.copy_(p.detach())
            p.data, p.grad = view, self.of(self.whole.grad, name)

    def of(self, whole: Tensor, name: str) -> Tensor:
        """The part of a tensor like `whole` that belongs to one of the network's parameters, as a view of its shape."""
        shape, stride, start = self._places[name]
        return whole.as_strided(shape, stride, start)

    def parts(self, whole: Tensor) -> dict[str, Tensor]:
        """Every part, by the parameter's name."""
        return {name: self.of(whole, name) for name in self._places}
