"""`sample_coarse` by the compiled kernels: rows of the fine displacement are made as they are needed."""

import ctypes

from pullback.ops import _native
from pullback.ops._bands import arguments, between
from pullback.ops._memory import empty
from pullback.typing import Batch, Matrix, Shape, Tensor

available = _native.missing


def supports(image: Tensor, displacement: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(image, displacement)


def sample_coarse(
    image: Batch, matrix: Matrix, displacement: Batch, mix: Matrix, shape: Shape, outside: float | None
) -> Batch:
    """See `pullback.ops.sample_coarse`."""
    image, displacement = image.contiguous(), displacement.contiguous()
    matrix, mix = _native.double(matrix), _native.double(mix)
    size, coarse, values = tuple(image.shape[2:]), tuple(displacement.shape[2:]), empty(*image.shape[:2], *shape)
    bands = arguments([between(n, m)[0] for n, m in zip(coarse, shape, strict=True)])
    for one, field, into in zip(image, displacement, values, strict=True):
        _native.loaded().pb_sample_coarse(
            _native.pointer(one), _native.size3(size), image.shape[1], _native.pointer(field), _native.size3(coarse),
            *bands, _native.pointer(matrix), _native.pointer(mix), _native.size3(shape), len(shape),
            int(outside is None), ctypes.c_float(outside or 0.0), _native.pointer(into), _native.threads(),
        )  # fmt: skip
    return values
