"""`compose` by the Triton kernels, with its gradient in both fields."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _cuda
from pullback.ops._cuda_reading import Places, adjoint, read, slopes
from pullback.typing import Float, Tensor

available = _cuda.missing


def supports(outer: Tensor, inner: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _cuda.suits(outer, inner) and len(outer) == len(inner) and outer.numel() > 0


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
        ctx.mix, ctx.scale = mix, scale
        ctx.save_for_backward(outer, inner)
        return read(outer, Places.through(inner, mix, scale), plus=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        outer, inner = ctx.saved_tensors
        places, gradient = Places.through(inner, ctx.mix, ctx.scale), gradient.contiguous()
        to_outer = to_inner = None
        if ctx.needs_input_grad[0]:
            to_outer = adjoint(tuple(outer.shape[2:]), len(outer), places, gradient)
        if ctx.needs_input_grad[1]:
            to_inner, _ = slopes(outer, places, gradient, field=True, matrix=False, plus=ctx.scale)
        return to_outer, to_inner, None, None
