"""felt: what the fields of a deformation feel of a force on a small displacement that comes before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from pullback.transforms import Composite, Displacement, Flow, Transform, Velocity
from pullback.typing import Field, Float, Tensor


def carried_along(transform: Transform, force: Field) -> Float[Tensor, "..."]:
    """The force itself, or, of a transform that begins with a flow in time, one on each of its fields."""
    first = transform.parts[-1] if isinstance(transform, Composite) else transform
    return first.along(force) if isinstance(first, Flow) else force


def slope(part: Transform, cost: Callable[[Transform], Float[Tensor, ""]]) -> tuple[float, Tensor | float]:
    """A penalty on a deformation, and its gradient with respect to the fields that a step changes; 0 if it has none."""
    if isinstance(part, Flow):
        values = part.fields.detach().requires_grad_()
        penalty = cost(replace(part, fields=values))
    elif isinstance(part, Displacement | Velocity):
        values = part.field.detach().requires_grad_()
        penalty = cost(replace(part, field=values))
    else:
        return float(cost(part).detach()), 0.0
    return float(penalty.detach()), torch.autograd.grad(penalty, values)[0]
