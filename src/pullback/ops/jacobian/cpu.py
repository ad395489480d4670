"""`jacobian` by the compiled kernels, where no gradient is asked for."""

import torch

from pullback.ops import _native
from pullback.typing import Float, Tensor

available = _native.missing


def supports(displacement: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(displacement) and not (torch.is_grad_enabled() and displacement.requires_grad)


def jacobian(displacement: Float[Tensor, "b d *spatial"], mix: Float[Tensor, "d d"]) -> Float[Tensor, "b *spatial"]:
    """See `pullback.ops.jacobian`."""
    displacement, mix = displacement.detach().contiguous(), _native.double(mix)
    size = tuple(displacement.shape[2:])
    result = displacement.new_empty(len(displacement), *size)
    for field, into in zip(displacement, result, strict=True):
        _native.loaded().pb_jacobian(
            _native.pointer(field),
            _native.size3(size),
            len(size),
            _native.pointer(mix),
            _native.pointer(into),
            _native.threads(),
        )
    return result
