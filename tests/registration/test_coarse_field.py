"""A displacement on a coarser grid than the images: the same answers, from an eighth of the numbers."""

import pytest
import torch

import pullback as pb
from pullback import io, ops
from pullback.energy import LNCC, Energy, Pair
from pullback.errors import RecipeError
from pullback.optimise import GradientDescent, Greedy, Level, Schedule
from pullback.optimise.parametrisation.greedy import at_every_voxel
from pullback.optimise.parametrisation.halve import halved
from pullback.phantom import known_warp
from pullback.phantom.warps import warp_pair
from pullback.registration.prepare import Prepare
from pullback.registration.stage import Optimise
from pullback.space import Space
from pullback.transforms import Affine, Displacement
from pullback.transforms.apply import coarser, reading_coarse, resample

IDENTITY = {d: Affine.identity(d) for d in (2, 3)}


def smooth_image(*shape: int, seed: int = 0) -> pb.Image:
    noise = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(seed))
    return pb.Image(ops.smooth(noise, [2.0] * len(shape))[0] * 100, Space.of_array(shape, 1.5))


def half_field(space: Space, seed: int = 1, length: float = 3.0) -> Displacement:
    half = space.resized([n // 2 for n in space.shape])
    vectors = torch.randn(1, space.dimension, *half.shape, generator=torch.Generator().manual_seed(seed))
    vectors = ops.smooth(vectors, [4.0] * space.dimension)[0]
    return Displacement(vectors * (length / float(vectors.abs().max())), half)


@pytest.mark.parametrize("shape", [(150, 160), (40, 44, 48)])
def test_a_known_warp_is_found_as_well_by_every_second_vector(shape):
    image = smooth_image(*shape)
    truth = known_warp(image.space, seed=3, max_mm=5.0, smoothness_mm=16.0)
    pair = warp_pair(image, truth, noise=0.5, bias=0.05, seed=3)
    prepared = Prepare().pair(pair.fixed, pair.moving, None, None, "cpu")
    errors, where = [], truth.displace(image.space)
    for spacing in (1.0, 2.0):
        model = Greedy(2.75, 0.5 if spacing == 1 else 0.7, spacing_voxels=spacing)
        stage = Optimise(model, Energy(LNCC()), GradientDescent(0.5), Schedule((Level(2, 30), Level(1, 10))))
        found = stage.run(*prepared, IDENTITY[len(shape)]).transform
        assert isinstance(found, Displacement)
        assert (found.space.shape == shape) == (spacing == 1)
        errors.append(float((found.displace(image.space) - where).norm(dim=0).mean()))
    before = float(where.norm(dim=0).mean())
    assert errors[0] < before / 3
    assert errors[1] < 1.15 * errors[0]


def test_force_and_loss_are_those_of_the_fine_field():
    image, other = smooth_image(40, 44, 48), smooth_image(40, 44, 48, seed=5)
    space = image.space
    field = half_field(space)
    affine = Affine.identity(3)
    energy = Energy(LNCC())
    pair = Pair(image.data[None] / 30, other.data[None] / 30, space, space, covered=True)
    fine = affine @ Displacement(field.displace(space), space)
    loss, force = energy.on(pair).loss_and_force(affine @ field, field.space)
    expected, full = energy.on(pair).loss_and_force(fine)
    vectors = torch.zeros(1, 3, *field.space.shape, requires_grad=True)
    read = ops.sample(vectors, (field.space.inverse @ space.matrix)[:-1], shape=space.shape)
    (gathered,) = torch.autograd.grad(read, vectors, full[None])
    assert loss == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(force, gathered[0], rtol=1e-3, atol=1e-4 * float(gathered.abs().max()))
    with torch.no_grad():
        assert float(energy.loss(pair, field)) == pytest.approx(expected, rel=1e-5)


def test_what_moves_out_of_the_image_does_not_count_there_either():
    image = smooth_image(64, 70)
    field = half_field(image.space, length=12.0)
    fine = Displacement(field.displace(image.space), image.space)
    with torch.no_grad():
        pair = Pair(image.data[None], image.data[None], image.space, image.space)
        losses = [float(Energy(LNCC()).loss(pair, transform)) for transform in (field, fine)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_an_image_is_resampled_alike():
    image = smooth_image(40, 44, 48)
    field = half_field(image.space)
    fine = Displacement(field.displace(image.space), image.space)
    assert reading_coarse(field, image.space, image.space) is not None
    found, expected = (resample(image, transform, image.space).data for transform in (field, fine))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_a_resampled_image_has_its_gradient_in_the_matrix_too():
    """The kernel for coarse fields has none: it must stand back."""
    image = smooth_image(30, 32)
    shift = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    matrix = torch.eye(3, dtype=torch.float64) + torch.nn.functional.pad(shift[:, None], (2, 0, 0, 1))
    resample(image, Affine(matrix) @ half_field(image.space), image.space).data.sum().backward()
    assert float(shift.grad.abs().min()) > 0


def test_only_the_same_field_of_view_counts_as_coarser():
    space = Space.of_array((40, 44), 1.5)
    assert coarser(space.resized((20, 22)), space)
    assert not coarser(space, space)
    assert not coarser(space.resized((80, 22)), space)
    assert not coarser(Space.of_array((20, 22), 3.0), space)  # shifted by half a voxel


def test_a_file_holds_it_on_the_fixed_grid(tmp_path):
    space = Space.of_array((20, 24, 28), 1.5)
    transform = Affine.about(torch.eye(3, dtype=torch.float64) * 1.1, (1.0, 2.0, 3.0), space.centre) @ half_field(space)
    io.write_transform(transform, tmp_path / "transform.h5", onto=space)
    found = io.read_transform(tmp_path / "transform.h5")
    torch.testing.assert_close(found.displace(space), transform.displace(space), rtol=1e-4, atol=1e-4)
    assert found.parts[-1].space.shape == space.shape


def test_groups_have_a_vector_at_every_voxel_and_halves_ask_for_one():
    assert at_every_voxel(Greedy(spacing_voxels=2.0)) == Greedy()
    with pytest.raises(RecipeError, match="spacing_voxels 1"):
        halved(Greedy(spacing_voxels=2.0))
