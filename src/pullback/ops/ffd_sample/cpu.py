"""`ffd_sample` by the compiled kernels, and its gradients with respect to the coefficients and the places."""

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.ops._reading import Reading
from pullback.typing import Batch, Matrix, Shape, Tensor

available = _native.missing


def supports(coefficients: Tensor, *displacement: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(coefficients, *displacement)


def ffd_sample(coefficients: Batch, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape) -> Batch:
    """See `pullback.ops.ffd_sample`."""
    values: Tensor = _FFDSample.apply(coefficients, matrix, displacement, mix, shape)  # type: ignore[no-untyped-call]
    return values


class _FFDSample(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, coefficients: Tensor, matrix: Tensor, displacement: Tensor | None, mix: Tensor, shape: Shape
    ) -> Tensor:
        coefficients = coefficients.contiguous()
        at = Reading.contiguous(matrix, displacement, mix, shape, None)
        values = empty(at.batch(len(coefficients)), coefficients.shape[1], *shape)
        for k in range(len(values)):
            _run("", coefficients[k % len(coefficients)], at, k, values[k])
        ctx.save_for_backward(coefficients if ctx.needs_input_grad[2] else None, at.displacement)
        ctx.at = at.matrices, at.mix, shape, coefficients.shape
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        coefficients, displacement = ctx.saved_tensors
        matrices, mix, shape, size = ctx.at
        at, gradient = Reading(matrices, displacement, mix, shape, None), gradient.contiguous()
        by_coefficients = by_displacement = None
        if ctx.needs_input_grad[0]:
            by_coefficients = _gathered(
                gradient.new_empty(size), len(gradient), lambda k, into: _run("_adjoint", into, at, k, gradient[k])
            )
        if ctx.needs_input_grad[2]:
            by_displacement = _gathered(
                empty(*displacement.shape),
                len(gradient),
                lambda k, into: _run("_backward", coefficients[k % len(coefficients)], at, k, gradient[k], into),
            )
        return by_coefficients, None, by_displacement, None, None


def _run(name: str, coefficients: Tensor, at: Reading, k: int, *tensors: Tensor) -> None:
    """The k-th places: every direction knows the coefficients, the places, and what is there."""
    getattr(_native.loaded(), "pb_ffd_sample" + name)(
        _native.pointer(coefficients),
        _native.size3(tuple(coefficients.shape[1:])),
        coefficients.shape[0],
        *at.arguments(k),
        *[_native.pointer(t) for t in tensors],
        _native.threads(),
    )


def _gathered(result: Tensor, count: int, write: Callable[[int, Tensor], None]) -> Tensor:
    """What `write` puts for each of `count`; their sum where one was used for all of them."""
    if len(result) == count:
        for k in range(count):
            write(k, result[k])
        return result
    part = torch.empty_like(result[0])
    result.zero_()
    for k in range(count):
        write(k, part)
        result[0] += part
    return result
