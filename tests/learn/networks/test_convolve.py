"""convolve is the layer, up to rounding, whichever way round it takes."""

import pytest
import torch
from torch import nn

from pullback.learn.networks.convolve import _slow, convolve


@pytest.mark.parametrize(
    "shape", [(1, 2, 64, 60, 9), (1, 2, 48, 20, 9), (1, 12, 8, 9, 10), (2, 2, 8, 9, 10), (1, 2, 30, 20)]
)
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
def test_values_and_gradients_are_those_of_the_layer(shape, last):
    torch.manual_seed(0)
    kind, form = (nn.Conv2d, torch.channels_last) if len(shape) == 4 else (nn.Conv3d, torch.channels_last_3d)
    layer = kind(shape[1], 5, 3, padding=1)
    layer = layer.to(memory_format=form) if last else layer
    answers = []
    for way in (lambda x: layer(x), lambda x: convolve(layer, x)):
        x = torch.rand(shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
        y = way(x)
        weight = torch.rand(y.shape, generator=torch.Generator().manual_seed(2))
        answers.append((y, *torch.autograd.grad((y * weight).sum(), [x, layer.weight, layer.bias])))
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-4)  # sums over thousands of voxels
        assert (one - other).norm() < 1e-5 * one.norm()


def test_the_slow_path_is_left_where_it_is_slow():
    layer = nn.Conv3d(2, 5, 3, padding=1)
    for shape, slow in (((1, 2, 64, 60, 9), True), ((1, 2, 96, 128, 9), False), ((2, 2, 64, 60, 9), False)):
        assert _slow(layer, torch.rand(shape)) is slow
    with torch.autocast("cpu", torch.bfloat16):
        assert not _slow(layer, torch.rand(1, 2, 64, 60, 9))
