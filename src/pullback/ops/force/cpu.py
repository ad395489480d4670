"""`force` by the compiled kernels, in one pass."""

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.typing import Batch, Matrix, Tensor

available = _native.missing


def supports(warped: Tensor, gradient: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(warped, gradient)


def force(warped: Batch, gradient: Batch, mix: Matrix) -> Batch:
    """See `pullback.ops.force`."""
    warped, gradient, mix = warped.contiguous(), gradient.contiguous(), _native.double(mix)
    d, size = warped.ndim - 2, _native.size3(tuple(warped.shape[2:]))
    field = empty(len(warped), d, *warped.shape[2:])
    for w, g, into in zip(warped, gradient, field, strict=True):
        _native.loaded().pb_force(
            _native.pointer(w), _native.pointer(g), size, len(w), d, _native.pointer(mix), _native.pointer(into),
            _native.threads(),
        )  # fmt: skip
    return field
