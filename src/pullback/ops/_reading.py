"""Reading at affine-plus-displacement positions by the compiled kernels: values, and both gradients.

Everything here works on whole batches; what has a batch of one is used for all of them.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import torch

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.typing import Batch, Float, Interpolation, Matrix, Shape, Tensor

_VALUES = {"nearest": "pb_nearest", "linear": "pb_sample", "cubic": "pb_cubic"}
_SLOPES = {"linear": "pb_sample_backward", "cubic": "pb_cubic_backward"}


@dataclass(frozen=True)
class Reading:
    """Where to read, as the kernels take it, and what is found outside; `contiguous` makes one of any tensors."""

    matrices: Float[Tensor, "m d e"]
    displacement: Batch | None
    mix: Matrix
    shape: Shape
    outside: float | None

    @classmethod
    def contiguous(
        cls, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape, outside: float | None
    ) -> Reading:
        """From tensors of any type and layout."""
        matrices = _native.double(matrix if matrix.ndim == 3 else matrix[None])
        dense = None if displacement is None else displacement.detach().contiguous()
        return cls(matrices, dense, _native.double(mix), shape, outside)

    @classmethod
    def through(cls, displacement: Batch, mix: Matrix) -> Reading:
        """At every voxel moved by its displacement, the edge repeated."""
        d = displacement.shape[1]
        identity = torch.eye(d, d + 1, dtype=torch.float64)
        return cls.contiguous(identity, displacement, mix, tuple(displacement.shape[2:]), None)

    def batch(self, images: int) -> int:
        """How many sets of values come of so many images."""
        return max(images, len(self.matrices), 1 if self.displacement is None else len(self.displacement))

    def arguments(self, k: int) -> tuple[Any, ...]:
        """The k-th positions: displacement, matrix, mix, shape, dimension."""
        field = None if self.displacement is None else self.displacement[k % self.displacement.shape[0]]
        matrix = self.matrices[k % self.matrices.shape[0]]  # `len` of a tensor takes ten times as long
        pointers = [_native.pointer(t) for t in (field, matrix, self.mix)]
        return (*pointers, _native.size3(self.shape), len(self.shape))


def read(
    image: Batch,
    at: Reading,
    interpolation: Interpolation = "linear",
    plus: tuple[Tensor, float] | None = None,
    into: Tensor | None = None,
) -> Batch:
    """The values of a contiguous image (for cubic: its coefficients), plus a multiple of a tensor (linear only)."""
    batch = at.batch(len(image))
    values = empty(batch, image.shape[1], *at.shape) if into is None else into
    function = getattr(_native.loaded(), _VALUES[interpolation])
    clamp, outside = int(at.outside is None), ctypes.c_float(at.outside or 0.0)
    for k in range(batch):
        added: tuple[Any, ...] = ()
        if interpolation == "linear":
            tensor, scale = (None, 0.0) if plus is None else (plus[0][k], plus[1])
            added = (_native.pointer(tensor), ctypes.c_float(scale))
        function(
            *_of(image, k), *at.arguments(k), clamp, outside, *added, _native.pointer(values[k]), _native.threads()
        )
    return values


def read_with_slopes(image: Batch, at: Reading) -> tuple[Batch, Float[Tensor, "b c d *shape"]]:
    """The values of a contiguous image by linear reading, and their slopes along its axes, from one reading."""
    batch, d = at.batch(len(image)), len(at.shape)
    values = empty(batch, image.shape[1], *at.shape)
    slopes = torch.empty(batch, image.shape[1], d, *at.shape)
    clamp, outside = int(at.outside is None), ctypes.c_float(at.outside or 0.0)
    for k in range(batch):
        into = _native.pointer(values[k]), _native.pointer(slopes[k])
        _native.loaded().pb_sample_slopes(*_of(image, k), *at.arguments(k), clamp, outside, *into, _native.threads())
    return values, slopes


def slopes_to_matrices(slopes: Tensor, at: Reading, gradient: Batch) -> tuple[Tensor, Tensor]:
    """As `to_matrices`, from slopes that were kept."""
    result, part = torch.zeros_like(at.matrices), torch.empty_like(at.matrices[0])
    mixes, mix = torch.zeros_like(at.mix), torch.empty_like(at.mix)
    for k in range(len(gradient)):
        into = _native.pointer(part), _native.pointer(mix)
        _native.loaded().pb_slopes_to_matrix(
            _native.pointer(slopes[k]), slopes.shape[1], *at.arguments(k), _native.pointer(gradient[k]), *into,
            _native.threads(),
        )  # fmt: skip
        result[k % len(result)] += part
        mixes += mix
    return result, mixes


def to_displacement(
    image: Batch,
    at: Reading,
    gradient: Batch,
    into: Batch | None = None,
    interpolation: Interpolation = "linear",
) -> Batch:
    """The gradient with respect to the displacement."""
    assert at.displacement is not None
    if len(at.displacement) == len(gradient):
        result = empty(*at.displacement.shape) if into is None else into
        for k in range(len(gradient)):
            _slopes(image, at, gradient, interpolation, k, (result[k], None, None))
        return result
    result, part = torch.zeros_like(at.displacement), torch.empty_like(at.displacement[0])
    for k in range(len(gradient)):
        _slopes(image, at, gradient, interpolation, k, (part, None, None))
        result[0] += part
    return result


def to_matrices(
    image: Batch, at: Reading, gradient: Batch, interpolation: Interpolation = "linear"
) -> tuple[Tensor, Tensor | None]:
    """The gradient with respect to the matrices, and (linear only) to the mix."""
    result, part = torch.zeros_like(at.matrices), torch.empty_like(at.matrices[0])
    mixes, mix = torch.zeros_like(at.mix), torch.empty_like(at.mix)
    for k in range(len(gradient)):
        _slopes(image, at, gradient, interpolation, k, (None, part, mix))
        result[k % len(result)] += part
        mixes += mix
    return result, mixes if interpolation == "linear" else None


def _slopes(
    image: Batch,
    at: Reading,
    gradient: Batch,
    interpolation: Interpolation,
    k: int,
    into: tuple[Tensor | None, Tensor | None, Tensor | None],
) -> None:
    function, clamp = getattr(_native.loaded(), _SLOPES[interpolation]), int(at.outside is None)
    pointers = [_native.pointer(t) for t in (gradient[k], *(into if interpolation == "linear" else into[:2]))]
    function(*_of(image, k), *at.arguments(k), clamp, *pointers, _native.threads())


def adjoint(image: Batch, at: Reading, gradient: Batch, interpolation: Interpolation = "linear") -> Batch:
    """Add the gradient with respect to an image to `image`, in place."""
    for k in range(len(gradient)):
        _native.loaded().pb_sample_adjoint(
            *_of(image, k),
            *at.arguments(k),
            int(interpolation == "nearest"),
            int(at.outside is None),
            _native.pointer(gradient[k]),
            _native.threads(),
        )
    return image


def _of(images: Batch, k: int) -> tuple[Any, ...]:
    image = images[k % images.shape[0]]
    return _native.pointer(image), _native.size3(tuple(image.shape[1:])), image.shape[0]
