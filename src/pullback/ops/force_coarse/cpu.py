"""`force_coarse` by the compiled kernels, in one pass over the fine grid."""

from pullback.ops import _native
from pullback.ops._bands import arguments, between
from pullback.ops._memory import empty
from pullback.typing import Batch, Matrix, Shape, Tensor

available = _native.missing


def supports(warped: Tensor, gradient: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(warped, gradient)


def force_coarse(warped: Batch, gradient: Batch, mix: Matrix, shape: Shape) -> Batch:
    """See `pullback.ops.force_coarse`."""
    warped, gradient, mix = warped.contiguous(), gradient.contiguous(), _native.double(mix)
    size, d = tuple(warped.shape[2:]), len(shape)
    pairs = [between(n, m) for n, m in zip(shape, size, strict=True)]
    bands = [pair[0] if axis == d - 2 else pair[1] for axis, pair in enumerate(pairs)]  # along y from the coarse grid
    field = empty(len(warped), d, *shape)
    for w, g, into in zip(warped, gradient, field, strict=True):
        _native.loaded().pb_force_coarse(
            _native.pointer(w), _native.pointer(g), _native.size3(size), len(w), d, _native.pointer(mix),
            *arguments(bands), _native.size3(shape), _native.pointer(into), _native.threads(),
        )  # fmt: skip
    return field
