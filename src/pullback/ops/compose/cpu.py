"""`compose` by the compiled kernels, where no gradient is asked for."""

import torch

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.ops.sample.cpu import read
from pullback.typing import Float, Tensor

available = _native.missing


def supports(outer: Tensor, inner: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    wanted = torch.is_grad_enabled() and (outer.requires_grad or inner.requires_grad)
    return _native.suits(outer, inner) and len(outer) == len(inner) and not wanted


def compose(
    outer: Float[Tensor, "_b d *shape"], inner: Float[Tensor, "_b d *shape"], mix: Float[Tensor, "d d"], scale: float
) -> Float[Tensor, "_b d *shape"]:
    """See `pullback.ops.compose`."""
    outer, inner = outer.contiguous(), inner.contiguous()
    identity = torch.eye(outer.shape[1], outer.shape[1] + 1, dtype=torch.float64)
    result = empty(*inner.shape)
    for k in range(len(inner)):
        read(outer[k], identity, inner[k], _native.double(mix) * scale, None, result[k], inner[k], scale)
    return result
