"""`sample`, defined in torch. Here, and only here, torch's normalised [-1, 1] grids occur."""

import itertools

import torch
from torch.nn import functional

from pullback.ops._precision import finest
from pullback.ops.sample import bspline
from pullback.typing import Batch, Float, Interpolation, Matrix, Shape, Tensor


def sample(
    image: Batch,
    matrix: Matrix,
    displacement: Batch | None,
    mix: Matrix,
    *,
    shape: Shape,
    interpolation: Interpolation,
    outside: float | None,
) -> Batch:
    """See `pullback.ops.sample`."""
    given = positions(matrix, displacement, mix, shape, image.device).to(image.dtype)
    size, batch = tuple(image.shape[2:]), max(image.shape[0], given.shape[0])
    image, at = image.expand(batch, *image.shape[1:]), given.nan_to_num(0).expand(batch, *given.shape[1:])
    if interpolation == "nearest":
        values = _gather(image, torch.floor(at.detach() + 0.5))
    elif interpolation == "linear":
        extent = torch.tensor(size, dtype=at.dtype, device=at.device).view(1, -1, *[1] * len(shape))
        grid = (2 * at + 1) / extent - 1
        grid = grid.movedim(1, -1).flip(-1).contiguous()  # torch wants the fastest axis first, and dense memory
        values = functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    else:
        values = _cubic(bspline.coefficients(image), at)
    return values if outside is None else torch.where(is_inside(given, size)[:, None], values, outside)


def positions(
    matrix: Matrix, displacement: Batch | None, mix: Matrix, shape: Shape, device: torch.device
) -> Float[Tensor, "_b _d *_shape"]:
    """p(v), in voxels of the image; without a displacement, in the finest precision of the device."""
    matrix, d = matrix if matrix.ndim == 3 else matrix[None], len(shape)
    used = [matrix.requires_grad or bool(matrix[:, :, axis].any()) for axis in range(d)]
    matrix = matrix.to(device, finest(device) if displacement is None else displacement.dtype)
    columns = [matrix[:, :, a].view(*matrix.shape[:2], *[1] * d) for a in range(d + 1)]
    total = columns[d]
    for axis, n in enumerate(shape):  # an axis at a time: no (D, D) product over the whole grid
        if used[axis]:
            ramp = torch.arange(n, dtype=matrix.dtype, device=device).view([n if a == axis else 1 for a in range(d)])
            total = total + columns[axis] * ramp
    if displacement is not None:
        total = total + torch.einsum("ij,bj...->bi...", mix.to(displacement), displacement)
    return total.expand(-1, -1, *shape)


def is_inside(at: Float[Tensor, "b d *shape"], size: Shape) -> Tensor:
    """Whether each position is within half a voxel of the outermost voxel centres, (b, *shape)."""
    checks = [(at[:, a] >= -0.5) & (at[:, a] < n - 0.5) for a, n in enumerate(size)]
    return torch.stack(checks).all(dim=0)


def _gather(image: Batch, index: Float[Tensor, "_b _d *_shape"]) -> Batch:
    """The image at whole-number positions, edges repeated."""
    flat = torch.zeros_like(index[:, 0], dtype=torch.long)
    for axis, n in enumerate(image.shape[2:]):
        flat = flat * n + index[:, axis].clamp(0, n - 1).long()
    picked = image.flatten(2).gather(2, flat.flatten(1)[:, None].expand(-1, image.shape[1], -1))
    return picked.view(*image.shape[:2], *index.shape[2:])


def _cubic(coefficients: Batch, at: Float[Tensor, "_b _d *_shape"]) -> Batch:
    """Sum the 4^D cubic B-splines around each position; the edge is repeated by clamping the position."""
    size = coefficients.shape[2:]
    limit = torch.tensor([n - 1 for n in size], dtype=at.dtype, device=at.device).view(1, -1, *[1] * len(size))
    at = torch.minimum(at.clamp(min=0), limit)
    base = torch.floor(at.detach())
    weights = bspline.weights(at - base)  # (4, b, d, *shape)
    total = torch.zeros((), dtype=at.dtype, device=at.device)
    for offsets in itertools.product(range(4), repeat=len(size)):
        weight = torch.stack([weights[k, :, axis] for axis, k in enumerate(offsets)]).prod(dim=0)
        step = torch.tensor(offsets, dtype=at.dtype, device=at.device).view(1, -1, *[1] * len(size)) - 1
        total = total + weight[:, None] * _gather(coefficients, bspline.mirrored(base + step, size))
    return total
