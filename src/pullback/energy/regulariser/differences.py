"""Differences of neighbours, per mm, and their means: what the regularisers are made of."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch.autograd.function import once_differentiable

from pullback.space import Space
from pullback.typing import Field, Float, Tensor

LEAST = 1e-6
"""A total weight below this counts as none."""

Operator: TypeAlias = tuple[tuple[int, ...], float]
"""The spatial axes along which differences are taken, one after the other, and what their mean square counts."""


def wide(space: Space) -> list[tuple[int, float]]:
    """(axis, voxel size in mm) of every axis that has more than one voxel."""
    return [(a, mm) for a, (n, mm) in enumerate(zip(space.shape, space.spacing, strict=True)) if n > 1]


def mean_squares(
    field: Field, operators: tuple[Operator, ...], weight: Float[Tensor, "*spatial"] | None
) -> Float[Tensor, ""]:
    """The sum over operators of factor x mean |differences|^2, with its gradient in four passes for each."""
    result: Tensor = _MeanSquares.apply(field, operators, weight)  # type: ignore[no-untyped-call]
    return result


class _MeanSquares(torch.autograd.Function):
    """Differences are taken again for the gradient: that costs less than to keep them."""

    @staticmethod
    def forward(ctx: Any, field: Tensor, operators: tuple[Operator, ...], weight: Tensor | None) -> Tensor:
        total = field.new_zeros(())
        for axes, factor in operators:
            found = _differences(field, axes).square_()
            total = total + factor * mean(found.sum(dim=0), None if weight is None else halfway(weight, axes))
        ctx.save_for_backward(field, weight)
        ctx.operators = operators
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> Any:
        field, weight = ctx.saved_tensors
        gradient = torch.zeros_like(field)
        for axes, factor in ctx.operators:
            found = _differences(field, axes)
            if weight is None:
                found *= 2 * factor * float(upstream) * len(field) / max(found.numel(), 1)
            else:
                between = halfway(weight, axes)
                found *= (2 * factor * upstream / between.sum().clamp(min=LEAST)) * between
            _add_back(gradient, found, axes)
        return gradient, None, None


def _differences(field: Tensor, axes: tuple[int, ...]) -> Tensor:
    for axis in axes:
        field = torch.diff(field, dim=axis + 1)
    return field


def _add_back(into: Tensor, found: Tensor, axes: tuple[int, ...]) -> None:
    """Adds the transpose of `_differences` of `found` to `into`."""
    for axis in reversed(axes[1:]):
        whole = found.new_zeros([n + (a == axis + 1) for a, n in enumerate(found.shape)])
        _add_back(whole, found, (axis,))
        found = whole
    n = found.shape[axes[0] + 1]
    into.narrow(axes[0] + 1, 1, n).add_(found)
    into.narrow(axes[0] + 1, 0, n).sub_(found)


def halfway(values: Float[Tensor, "*spatial"], axes: tuple[int, ...]) -> Float[Tensor, "*less"]:
    """The means of neighbours along axes, one after the other: values between the voxels."""
    for axis in axes:
        n = values.shape[axis]
        values = (values.narrow(axis, 0, n - 1) + values.narrow(axis, 1, n - 1)) / 2
    return values


def mean(density: Tensor, weight: Tensor | None) -> Float[Tensor, ""]:
    """The (weighted) mean; 0 where nothing has any weight or there is nothing."""
    if weight is None:
        return density.sum() / max(density.numel(), 1)
    weight = weight.to(density)
    return (weight * density).sum() / weight.sum().clamp(min=LEAST)


def laplacian(field: Field, space: Space) -> Field:
    """The sum of the second differences along the axes, per mm^2; none across the border."""
    total = torch.zeros_like(field)
    for axis, mm in wide(space):
        n = field.shape[axis + 1]
        if n > 2:
            bend = torch.diff(torch.diff(field, dim=axis + 1), dim=axis + 1) / mm**2
            empty = torch.zeros_like(field.narrow(axis + 1, 0, 1))
            total = total + torch.cat([empty, bend, empty], dim=axis + 1)
    return total
