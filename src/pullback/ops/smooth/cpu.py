"""`smooth` by the compiled kernels, where no gradient is asked for."""

import torch

from pullback.ops import _native
from pullback.ops._memory import empty
from pullback.ops.smooth.reference import gaussian
from pullback.typing import Batch, Tensor

available = _native.missing


def supports(image: Tensor) -> bool:
    """See `pullback.ops._dispatch`."""
    return _native.suits(image) and not (torch.is_grad_enabled() and image.requires_grad)


def smooth(image: Batch, sigmas: tuple[float, ...]) -> Batch:
    """See `pullback.ops.smooth`."""
    image = image.contiguous()
    size, result = image.shape[2:], empty(*image.shape)
    half = [_half(s) if s > 0 and n > 1 else torch.ones(1) for s, n in zip(sigmas, size, strict=True)]
    taps = [torch.ones(1)] * (3 - len(half)) + half
    kernels = [argument for t in taps for argument in (_native.pointer(t), len(t) - 1)]
    for one, into in zip(image.flatten(0, 1), result.flatten(0, 1), strict=True):
        _native.loaded().pb_smooth(
            _native.pointer(one), _native.size3(tuple(size)), *kernels, _native.pointer(into), _native.threads()
        )
    return result


def _half(sigma: float) -> Tensor:
    """The Gaussian's weights from its middle outwards."""
    weights = gaussian(sigma)
    return torch.tensor(weights[len(weights) // 2 :], dtype=torch.float32)
