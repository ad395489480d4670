"""`compose` by the compiled kernels, with its gradient in both fields."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._reading import Reading, adjoint, read, slopes
from pullback.typing import Batch, Float, Tensor

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


def compose_backward(
    outer: Batch, at: Reading, scale: float, gradient: Batch, wanted: tuple[bool, bool]
) -> tuple[Batch | None, Batch | None]:
    """The gradient with respect to the outer field and to the inner, which made the positions `at`."""
    to_outer = adjoint(len(outer), tuple(outer.shape[2:]), at, gradient) if wanted[0] else None
    to_inner = slopes(outer, at, gradient, (True, False))[0] if wanted[1] else None
    return to_outer, None if to_inner is None else to_inner.add_(gradient, alpha=scale)


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
        at, wanted = Reading.through(inner, ctx.mix), (ctx.needs_input_grad[0], ctx.needs_input_grad[1])
        return *compose_backward(outer, at, ctx.scale, gradient.contiguous(), wanted), None, None
