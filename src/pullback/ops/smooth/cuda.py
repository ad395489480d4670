"""`smooth` by a Triton kernel for each axis, where no gradient is asked for."""

import math

import torch

from pullback.ops import _cuda
from pullback.ops.smooth.reference import gaussian
from pullback.typing import Batch, Tensor

available = _cuda.missing


def supports(image: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _cuda.suits(image) and image.numel() > 0 and not (torch.is_grad_enabled() and image.requires_grad)


def smooth(image: Batch, sigmas: tuple[float, ...]) -> Batch:
    """See `pullback.ops.smooth`."""
    image = image.detach().contiguous()
    with _cuda.on(image):
        for axis, sigma in enumerate(sigmas, start=2):
            if sigma > 0 and image.shape[axis] > 1:
                image = _along(image, axis, sigma, gaussian(sigma))
    return image


def _along(image: Tensor, axis: int, sigma: float, weights: list[float]) -> Tensor:
    if weights[len(weights) // 2] == 1:  # so narrow that the neighbours weigh nothing
        return image
    kernels = _cuda.kernels("filters")
    radius, n, inner = len(weights) // 2, image.shape[axis], math.prod(image.shape[axis + 1 :])
    outer = math.prod(image.shape[:axis])
    if axis == image.ndim - 1:
        kernel, tiles = kernels.smooth_along, 1
        grid = _cuda.blocks(outer, kernels.ROWS), _cuda.blocks(n, kernels.COLUMNS)
    else:
        kernel, tiles = kernels.smooth_across, _cuda.blocks(n, kernels.ROWS)
        grid = outer * tiles, _cuda.blocks(inner, kernels.COLUMNS)
    out = torch.empty_like(image)
    kernel[grid](
        image,
        out,
        outer,
        n,
        inner,
        radius,
        tiles,
        -0.5 / (sigma * sigma),
        weights[radius],
        ROWS=kernels.ROWS,
        COLUMNS=kernels.COLUMNS,
        ABREAST=kernels.ABREAST,
        num_warps=kernels.WARPS,
    )
    return out
