"""`exponential` by the compiled kernels: two fields in turn, or, where a gradient is wanted, every one of them kept."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from pullback.ops import _native
from pullback.ops._reading import Reading, adjoint, read, to_displacement
from pullback.typing import Float, Tensor

available = _native.missing


def supports(velocity: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(velocity)


def exponential(
    velocity: Float[Tensor, "b d *shape"], mix: Float[Tensor, "d d"], steps: int
) -> Float[Tensor, "b d *shape"]:
    """See `pullback.ops.exponential`."""
    velocity = velocity if torch.is_grad_enabled() else velocity.detach()  # then nothing is kept
    result: Tensor = _Exponential.apply(velocity, mix, steps)  # type: ignore[no-untyped-call]
    return result


class _Exponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, velocity: Tensor, mix: Tensor, steps: int) -> Tensor:
        ctx.mix = _native.double(mix)
        flow = (velocity.detach() * 0.5**steps).contiguous()
        kept: list[Tensor] = []
        spare = None
        for _ in range(steps):
            squared = read(flow, Reading.through(flow, ctx.mix), plus=(flow, 1.0), into=spare)
            if ctx.needs_input_grad[0]:
                kept.append(flow)
            else:
                spare = flow
            flow = squared
        ctx.save_for_backward(*kept)
        return flow

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        kept = ctx.saved_tensors
        gradient, spare, own = gradient.contiguous(), None, False
        for flow in reversed(kept):
            at = Reading.through(flow, ctx.mix)
            through = to_displacement(flow, at, gradient, spare).add_(gradient)
            spare, gradient = gradient if own else None, adjoint(through, at, gradient)
            own = True  # the first one is the caller's
        return gradient * 0.5 ** len(kept), None, None
