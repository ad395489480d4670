"""Reading at affine-plus-displacement positions on a GPU: values, and the gradients of them.

Matrices are small and live on the CPU: their numbers travel with the call, so that nothing waits for a copy. What has a
batch of one is used for all of a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from pullback.ops import _cuda
from pullback.typing import Batch, Matrix, Shape, Tensor


@dataclass(frozen=True)
class Places:
    """Where to read.

    Attributes:
        matrices: for each of the batch, 12 numbers: three rows of four.
        mix: 9 numbers.
        displacement: (b, D, *shape), contiguous; to read or to tell what is inside, also on a coarser grid.
        shape: of what is read.
        outside: what is found there; None repeats the edge.
    """

    matrices: tuple[tuple[float, ...], ...]
    mix: tuple[float, ...]
    displacement: Batch | None
    shape: Shape
    outside: float | None

    @classmethod
    def of(cls, matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape, outside: float | None) -> Places:
        """From tensors of any type, layout and device."""
        rows = matrix.detach().tolist()
        dense = None if displacement is None else displacement.detach().contiguous()
        each = rows if matrix.ndim == 3 else [rows]
        return cls(tuple(map(twelve, each)), nine(mix.detach().tolist()), dense, shape, outside)

    @classmethod
    def through(cls, displacement: Batch, mix: Matrix, scale: float) -> Places:
        """At every voxel moved by a multiple of its displacement, the edge repeated."""
        d = displacement.shape[1]
        rows = [[float(i == j) for j in range(d + 1)] for i in range(d)]
        scaled = [[scale * number for number in row] for row in mix.detach().tolist()]
        return cls((twelve(rows),), nine(scaled), displacement, tuple(displacement.shape[2:]), None)

    def batch(self, images: int) -> int:
        """How many sets of values come of so many images."""
        return max(images, len(self.matrices), 1 if self.displacement is None else len(self.displacement))

    def at(self, k: int) -> tuple[float, ...]:
        """The numbers of the k-th positions."""
        return (*self.matrices[k % len(self.matrices)], *self.mix)

    def moved(self, k: int) -> Tensor | None:
        """The k-th displacement."""
        return None if self.displacement is None else self.displacement[k % len(self.displacement)]

    @property
    def carrier(self) -> tuple[float, ...]:
        """The three sizes of the displacement's own grid, and how many of its voxels go into one."""
        own = self.shape if self.displacement is None else tuple(self.displacement.shape[2:])
        factors = [n / m for n, m in zip(_cuda.size3(own), _cuda.size3(self.shape), strict=True)]
        return (*_cuda.size3(own), *factors)

    @property
    def coarse(self) -> bool:
        """Whether the displacement has a grid of its own."""
        return self.displacement is not None and tuple(self.displacement.shape[2:]) != self.shape

    @property
    def fixed(self) -> dict[str, Any]:
        """What the compiler knows."""
        return {"D": len(self.shape), "MOVED": self.displacement is not None}


def twelve(rows: list[list[float]]) -> tuple[float, ...]:
    """A matrix, (2, 3) or (3, 4), as twelve numbers."""
    if len(rows) == 2:
        rows = [[0.0] * 3, *rows]
        rows = [[0.0, *row] for row in rows]
    return tuple(number for row in rows for number in row)


def nine(rows: list[list[float]]) -> tuple[float, ...]:
    """A mix, (2, 2) or (3, 3), as nine numbers."""
    if len(rows) == 2:
        rows = [[0.0] * 2, *rows]
        rows = [[0.0, *row] for row in rows]
    return tuple(number for row in rows for number in row)


def sizes_of(size: Shape, shape: Shape) -> Shape:
    """The image's three sizes, the last two of what is read, and its count."""
    _, m1, m2 = _cuda.size3(shape)
    return (*_cuda.size3(size), m1, m2, math.prod(shape))


def read(image: Batch, places: Places, nearest: bool = False, plus: float | None = None) -> Batch:
    """The values of a contiguous image; with `plus`, that multiple of the displacement is added."""
    kernels, batch = _cuda.kernels("reading"), places.batch(len(image))
    values = torch.empty(batch, image.shape[1], *places.shape, device=image.device)
    sizes = (image.shape[1], *sizes_of(tuple(image.shape[2:]), places.shape))
    if not values.numel():
        return values
    with _cuda.on(image):
        for k in range(batch):
            kernels.read[_cuda.blocks(sizes[-1], kernels.BLOCK),](
                image[k % len(image)],
                places.moved(k),
                values[k],
                *sizes,
                0.0 if places.outside is None else float(places.outside),
                0.0 if plus is None else plus,
                *places.carrier,
                *places.at(k),
                **places.fixed,
                COARSE=places.coarse,
                NEAREST=nearest,
                OUTSIDE=places.outside is not None,
                PLUS=plus is not None,
                BLOCK=kernels.BLOCK,
                num_warps=kernels.WARPS,
            )
    return values


def slopes(
    image: Batch, places: Places, gradient: Batch, *, field: bool, matrix: bool, plus: float | None = None
) -> tuple[Batch | None, Tensor | None]:
    """What the displacement changes, where `field`, and, where `matrix`, what the matrices (12) and the mix (9) do.

    Returns:
        (b, D, *shape) of the displacement's own batch; (b, 21) double precision.
    """
    kernels, batch = _cuda.kernels("reading"), places.batch(len(image))
    sizes = (image.shape[1], *sizes_of(tuple(image.shape[2:]), places.shape))
    programs, d = _cuda.blocks(sizes[-1], kernels.BLOCK), len(places.shape)
    to_field = torch.empty(batch, d, *places.shape, device=image.device) if field else None
    sums = torch.zeros(batch, programs, kernels.SUMS, device=image.device) if matrix else None
    with _cuda.on(image):
        for k in range(batch if programs else 0):
            kernels.slopes[programs,](
                image[k % len(image)],
                places.moved(k),
                gradient[k],
                None if to_field is None else to_field[k],
                None if sums is None else sums[k],
                *sizes,
                0.0 if plus is None else plus,
                *places.at(k),
                **places.fixed,
                OUTSIDE=places.outside is not None,
                PLUS=plus is not None,
                FIELD=field,
                MATRIX=matrix,
                SUMS=kernels.SUMS,
                BLOCK=kernels.BLOCK,
                num_warps=kernels.WARPS,
            )
    if to_field is not None and places.displacement is not None and len(places.displacement) != batch:
        to_field = to_field.sum(dim=0, keepdim=True)
    return to_field, None if sums is None else sums.sum(dim=1, dtype=torch.float64)[:, :21]


def adjoint(size: Shape, images: int, places: Places, gradient: Batch, nearest: bool = False) -> Batch:
    """The gradient with respect to (images, c, *size)."""
    kernels, channels = _cuda.kernels("reading"), gradient.shape[1]
    image = torch.zeros(images, channels, *size, dtype=torch.int64, device=gradient.device)
    scale = _cuda.whole(gradient, len(gradient) // images)
    sizes = (channels, *sizes_of(size, places.shape))
    with _cuda.on(image):
        for k in range(len(gradient) if sizes[-1] else 0):
            kernels.adjoint[_cuda.blocks(sizes[-1], kernels.BLOCK),](
                gradient[k],
                scale,
                places.moved(k),
                image[k % images],
                *sizes,
                *places.at(k),
                **places.fixed,
                NEAREST=nearest,
                OUTSIDE=places.outside is not None,
                BLOCK=kernels.BLOCK,
                num_warps=kernels.WARPS,
            )
    return image / scale


def inside(size: Shape, places: Places, device: torch.device) -> Batch:
    """1 where a position lies inside an image of that size, 0 elsewhere."""
    kernels, batch = _cuda.kernels("reading"), places.batch(1)
    mask = torch.empty(batch, 1, *places.shape, device=device)
    sizes = sizes_of(size, places.shape)
    with _cuda.on(mask):
        for k in range(batch if sizes[-1] else 0):
            kernels.inside[_cuda.blocks(sizes[-1], kernels.BLOCK),](
                places.moved(k),
                mask[k],
                *sizes,
                *places.carrier,
                *places.at(k),
                **places.fixed,
                COARSE=places.coarse,
                BLOCK=kernels.BLOCK,
                num_warps=kernels.WARPS,
            )
    return mask


def matrices(sums: Tensor, like: tuple[Tensor, Shape]) -> Tensor:
    """The gradient with respect to the matrices, from the sums of `slopes`; `like` is an example and the shape."""
    example, shape = like
    d = shape[-2]
    whole = sums[:, :12].view(-1, 3, 4)[:, 3 - d :, 3 - d :]
    if len(shape) == 2 or (shape[0] == 1 and len(whole) > 1):
        whole = whole.sum(dim=0, keepdim=True)
    return whole.reshape(shape).to(example)


def mixes(sums: Tensor, like: Tensor) -> Tensor:
    """The gradient with respect to the mix."""
    d = like.shape[0]
    return sums[:, 12:21].view(-1, 3, 3)[:, 3 - d :, 3 - d :].sum(dim=0).to(like)
