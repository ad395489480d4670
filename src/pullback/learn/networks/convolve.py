"""convolve: a convolution of one volume, without the slow path that torch takes on CPUs.

For a batch of one, torch (2.13, `use_mkldnn` in Convolution.cpp) asks oneDNN only if channels x depth x height exceed
20480, and else unfolds the volume into a matrix, which takes up to ten times as long, forward and backward: so for the
two images at full size, and for every level that is coarse. A channel of zeros, or oneDNN's own layout, goes round it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from pullback.typing import Batch

ENOUGH = 20480
FEW = 8
"""So many channels may be padded to: oneDNN takes eight or sixteen at a time anyway."""


def convolve(layer: nn.Module, x: Batch) -> Batch:
    """What `layer(x)` is, up to rounding."""
    if not isinstance(layer, nn.Conv3d) or not _slow(layer, x):
        return layer(x)  # type: ignore[no-any-return]
    short = ENOUGH // (x.shape[2] * x.shape[3]) + 1 - x.shape[1]
    if x.shape[1] + short > FEW:
        return layer(x.to_mkldnn()).to_dense()  # type: ignore[no-any-return]
    sides = (0, 0) * (x.ndim - 2) + (0, short)
    images = functional.pad(x, sides).contiguous(memory_format=torch.channels_last_3d)
    return functional.conv3d(images, functional.pad(layer.weight, sides), layer.bias, padding=layer.padding)


def _slow(layer: nn.Conv3d, x: Batch) -> bool:
    """Whether torch would unfold; small pictures are better off that way."""
    return (
        not torch.compiler.is_exporting()
        and len(x) == 1
        and x.shape[1] * x.shape[2] * x.shape[3] <= ENOUGH
        and x.device.type == "cpu"
        and x.dtype == layer.weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and not torch.is_autocast_enabled("cpu")
    )
