"""`compose` by the compiled kernels, with its gradient in both fields."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._reading import Reading, adjoint, read, to_displacement
from pullback.typing import Float, Tensor

available = _native.missing


def supports(outer: Tensor, inner: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(outer, inner) and len(outer) == len(inner)


def compose(
    outer: Float[Tensor, "_b d *shape"], inner: Float[Tensor, "_b d *shape"], mix: Float[Tensor, "d d"], scale: float
) -> Float[Tensor, "_b d *shape"]:
    """See `pullback.ops.compose`."""
    result: Tensor = _Compose.apply(outer, inner, mix, scale)  # type: ignore[no-untyped-call]
    return result


class _Compose(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, outer: Tensor, inner: Tensor, mix: Tensor, scale: float) -> Tensor:
        outer, inner = outer.contiguous(), inner.contiguous()
        ctx.mix, ctx.scale = _native.double(mix) * scale, scale
        ctx.save_for_backward(outer, inner)
        return read(outer, Reading.through(inner, ctx.mix), plus=(inner, scale))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        outer, inner = ctx.saved_tensors
        at, gradient = Reading.through(inner, ctx.mix), gradient.contiguous()
        to_outer = to_inner = None
        if ctx.needs_input_grad[0]:
            to_outer = adjoint(torch.zeros_like(outer), at, gradient)
        if ctx.needs_input_grad[1]:
            to_inner = to_displacement(outer, at, gradient).add_(gradient, alpha=ctx.scale)
        return to_outer, to_inner, None, None
