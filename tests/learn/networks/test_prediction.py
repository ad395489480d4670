"""warp is one function, whichever way a picture's size makes it take."""

import pytest
import torch

from pullback import ops
from pullback.learn import warp
from pullback.learn.networks.fields import unmoved


@pytest.mark.parametrize("shape", [(28, 32), (7, 9, 11), (60, 50)])
def test_small_pictures_are_read_as_others_are(shape):
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, *shape, generator=generator)
    u = 4 * torch.randn(2, len(shape), *shape, generator=generator)
    weight = torch.rand(image.shape, generator=generator)
    answers = []
    for way in (warp, lambda image, u: ops.sample(image, unmoved(len(shape)), u)):
        inputs = image.clone().requires_grad_(), u.clone().requires_grad_()
        warped = way(*inputs)
        answers.append((warped, *torch.autograd.grad((warped * weight).sum(), inputs)))
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, atol=3e-5, rtol=1e-4)


def test_what_is_no_number_reads_the_first_voxel():
    image = torch.rand(1, 1, 8, 9)
    for wrong in (float("nan"), -float("inf")):
        assert torch.equal(warp(image, torch.full((1, 2, 8, 9), wrong)), image[..., :1, :1].expand(1, 1, 8, 9))
    assert torch.equal(warp(image, torch.full((1, 2, 8, 9), float("inf"))), image[..., -1:, -1:].expand(1, 1, 8, 9))
