"""`ffd` by the compiled kernels, and its adjoint as the gradient."""

import ctypes
from typing import Any

import torch

from pullback.ops import _native
from pullback.ops.ffd.weights import window
from pullback.typing import Batch, Shape, Tensor

available = _native.missing


def supports(coefficients: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(coefficients)


def ffd(coefficients: Batch, shape: Shape, scale: tuple[float, ...], offset: tuple[float, ...]) -> Batch:
    """See `pullback.ops.ffd`."""
    result: Tensor = _FFD.apply(coefficients, shape, scale, offset)  # type: ignore[no-untyped-call]
    return result


class _FFD(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, coefficients: Tensor, shape: Shape, scale: tuple[float, ...], offset: tuple[float, ...]
    ) -> Tensor:
        coefficients = coefficients.contiguous()
        ctx.control = tuple(coefficients.shape)
        lines = zip(shape, coefficients.shape[2:], scale, offset, strict=True)
        ctx.windows = [window(*line) for line in lines]
        result = coefficients.new_empty(*coefficients.shape[:2], *shape)
        _run("pb_ffd", coefficients, ctx.windows, result)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        to_coefficients = gradient.new_empty(ctx.control)
        _run("pb_ffd_backward", to_coefficients, ctx.windows, gradient.contiguous())
        return to_coefficients, None, None, None


def _run(name: str, coefficients: Tensor, windows: list[tuple[Tensor, Tensor]], dense: Tensor) -> None:
    """Call either direction: both know the coefficients, the windows of each axis, and the dense field."""
    one = (torch.zeros(1, dtype=torch.long), torch.ones(1, 1, dtype=torch.float64))
    axes = [one] * (3 - len(windows)) + windows
    first = [start.to(torch.int32).contiguous() for start, _ in axes]
    weights = [w.to(torch.float32).contiguous() for _, w in axes]
    getattr(_native.loaded(), name)(
        _native.pointer(coefficients),
        _native.size3(tuple(coefficients.shape[2:])),
        coefficients.shape[0] * coefficients.shape[1],
        (ctypes.c_void_p * 3)(*[start.data_ptr() for start in first]),
        (ctypes.c_void_p * 3)(*[w.data_ptr() for w in weights]),
        (ctypes.c_int * 3)(*[w.shape[1] for w in weights]),
        _native.pointer(dense),
        _native.size3(tuple(dense.shape[2:])),
        _native.threads(),
    )
