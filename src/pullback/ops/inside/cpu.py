"""`inside` by the compiled kernels."""

import torch

from pullback.ops import _native
from pullback.ops._bands import arguments, between
from pullback.ops._memory import empty
from pullback.typing import Batch, Float, Matrix, Shape, Tensor

available = _native.missing


def supports(like: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return like.device.type == "cpu" and like.dtype == torch.float32


def inside(
    size: Shape, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape, device: torch.device
) -> Float[Tensor, "_b 1 *_shape"]:
    """See `pullback.ops.inside`."""
    del device
    matrices = _native.double(matrix if matrix.ndim == 3 else matrix[None])
    displacement = None if displacement is None else displacement.contiguous()
    batch = max(len(matrices), 1 if displacement is None else len(displacement))
    mask = empty(batch, 1, *shape)
    if displacement is not None and tuple(displacement.shape[2:]) != shape:
        return _coarsely(size, matrices, displacement, _native.double(mix), mask)
    for k in range(batch):
        _native.loaded().pb_inside(
            _native.size3(size),
            _native.pointer(None if displacement is None else displacement[k % len(displacement)]),
            _native.pointer(matrices[k % len(matrices)]),
            _native.pointer(mix := _native.double(mix)),
            _native.size3(shape),
            len(size),
            _native.pointer(mask[k]),
            _native.threads(),
        )
    return mask


def _coarsely(size: Shape, matrices: Tensor, displacement: Batch, mix: Matrix, mask: Tensor) -> Tensor:
    """The same with the displacement on a coarser grid."""
    coarse, shape = tuple(displacement.shape[2:]), tuple(mask.shape[2:])
    bands = arguments([between(n, m)[0] for n, m in zip(coarse, shape, strict=True)])
    for k, into in enumerate(mask):
        _native.loaded().pb_inside_coarse(
            _native.size3(size), _native.pointer(displacement[k % len(displacement)]), _native.size3(coarse), *bands,
            _native.pointer(matrices[k % len(matrices)]), _native.pointer(mix), _native.size3(shape), len(size),
            _native.pointer(into), _native.threads(),
        )  # fmt: skip
    return mask
