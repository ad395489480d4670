"""Comparing at random places: fewer voxels, the same answer."""

from dataclasses import replace

import pytest
import torch

from pullback import ops
from pullback.energy import MSE, Energy, Pair
from pullback.errors import RecipeError
from pullback.image import Image
from pullback.registration import Optimise
from pullback.registration.recipes import named
from pullback.registration.register import register
from pullback.registration.scatter import scattered
from pullback.space import Space
from pullback.transforms import Affine, resample


def ramp(space: Space) -> torch.Tensor:
    """An image that is linear in the world, so that every reading of it is exact."""
    return (space.grid().to(torch.float32) @ torch.tensor([0.01, -0.02, 0.005])[: space.dimension])[None, None]


def pair_of(space: Space) -> Pair:
    image = ramp(space)
    return Pair(image, image.clone(), space, space)


def test_every_place_holds_the_value_that_lies_there():
    space = Space.of_array((40, 48, 44), (1.0, 1.2, 1.1))
    pair = scattered(pair_of(space), 10_000)
    assert pair.scatter is not None
    assert 5_000 < pair.fixed_space.count < 15_000
    inner = slice(2, -2)
    at = pair.fixed_space.grid() + pair.scatter.field.movedim(0, -1)
    expected = at.to(torch.float32) @ torch.tensor([0.01, -0.02, 0.005])
    torch.testing.assert_close(pair.fixed[0, 0][inner, inner, inner], expected[inner, inner, inner], atol=2e-5, rtol=0)
    assert float(pair.scatter.field.abs().max()) > 0.3  # and the places are not the middles of the cells


def test_the_truth_is_still_the_truth_there():
    space = Space.of_array((30, 40), 1.0)
    pair, shift = scattered(pair_of(space), 10_000), Affine.translation([1.3, -0.4])
    moving = resample(Image(pair.moving[0], space), shift.inverse(), space, outside=None).data[None]
    moved = replace(pair, moving=moving)
    inside = torch.zeros(1, 1, *pair.fixed_space.shape)
    inside[..., 4:-4, 4:-4] = 1
    moved = replace(moved, fixed_weight=inside)
    assert float(Energy(MSE()).loss(moved, shift)) < 1e-10
    assert float(Energy(MSE()).loss(moved, Affine.identity(2))) > 1e-5


def test_thick_slices_are_not_left():
    space = Space.of_array((8, 64, 64), (10.0, 1.0, 1.0))
    pair = scattered(pair_of(space), 8_000)
    assert pair.scatter is not None
    assert pair.fixed_space.shape == (8, 32, 32)
    away = torch.einsum("ij,j...->i...", space.inverse[:-1, :-1].to(torch.float32), pair.scatter.field)  # in voxels
    assert float(away[0].abs().max()) < 1e-6
    assert float(away[1:].abs().max()) > 0.4


def test_the_same_places_every_time():
    space = Space.of_array((16, 16), 1.0)
    first, second = (scattered(pair_of(space), 100).scatter for _ in range(2))
    assert first is not None
    assert second is not None
    assert torch.equal(first.field, second.field)


def test_a_shift_is_found_across_contrasts_and_noise():
    generator = torch.Generator().manual_seed(4)
    smooth = ops.smooth(torch.rand(1, 1, 96, 96, generator=generator), [3.0, 3.0])[0]
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    space = Space.of_array((96, 96), 1.0)
    shift = Affine.translation([3.5, 2.5])
    noise = [0.04 * torch.randn(1, 96, 96, generator=generator) for _ in range(2)]
    moving = resample(Image(smooth, space), shift.inverse(), space, "cubic", None)
    fixed, moving = Image(smooth + noise[0], space), Image((1 - moving.data) ** 2 + noise[1], space)
    result = register(fixed, moving, named("rigid"))
    error = (result.transform(space.centre) - shift(space.centre)).norm()
    assert float(error) < 0.1


def test_a_field_needs_every_voxel():
    dense = next(s for s in named("deformable").stages if isinstance(s, Optimise) and s.model.local)
    with pytest.raises(RecipeError, match="samples suit models of fewer numbers; a deformable one needs every voxel"):
        replace(dense, samples=1000)
