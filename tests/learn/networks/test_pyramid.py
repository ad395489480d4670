from dataclasses import replace

import pytest
import torch

from pullback.errors import ModelError
from pullback.learn import AffineNetwork, Network, Prediction, Pyramid, VoxelMorph, predict, warp
from pullback.learn.data.scaling import canonical
from pullback.learn.networks import fields
from pullback.learn.networks.affine_head import AffineField, fitted, small_inverse
from pullback.learn.networks.features import correlation
from pullback.space import Space

SMALL = {"encoder": (4, 6, 6), "decoder": (6, 6)}
SETTINGS = [
    {},
    {"half_resolution": True, "integrate": 3},
    {"correlation": 1, "affine": True, "integrate": 3, "half_resolution": True},
]


def stirred(model, std=0.1):
    """A network that moves things: its last layers no longer start near zero."""
    torch.manual_seed(0)
    for name, weight in model.named_parameters():
        if name.endswith("last.weight"):
            torch.nn.init.normal_(weight, std=std)
    return model


def spots(count, shape):
    """Smooth random images."""
    images = torch.rand(count, 1, *shape)
    pool = torch.nn.functional.avg_pool2d if len(shape) == 2 else torch.nn.functional.avg_pool3d
    return pool(images, 5, 1, 2)


@pytest.mark.parametrize("form", [Pyramid, AffineNetwork])
@pytest.mark.parametrize("shape", [(16, 16), (13, 22), (5, 7, 9)])
def test_any_shape_gives_a_displacement_of_every_voxel_and_starts_at_rest(form, shape):
    model = form(dimension=len(shape), **SMALL)
    images = torch.rand(2, 3, 1, *shape)
    with torch.no_grad():
        said = model(images[0], images[1])
    assert said.displacement.shape == (3, len(shape), *shape)
    assert float(said.displacement.abs().max()) < 0.01


@pytest.mark.parametrize("settings", SETTINGS)
def test_gradients_reach_every_weight(settings):
    model = stirred(Pyramid(**SMALL, **settings))
    images = torch.rand(2, 2, 1, 16, 24)
    model(images[0], images[1]).displacement.square().mean().backward()
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in model.parameters())


@pytest.mark.parametrize("affine", [False, True])
def test_both_ways_are_inverse_to_each_other(affine):
    settings = {"integrate": 6, "half_resolution": True, "bidirectional": True, "affine": affine}
    model = stirred(Pyramid(**SMALL, **settings, flow_scale=4.0), 0.3)
    images = spots(2, (64, 64))[:, None]
    with torch.no_grad():
        said = model(images[0], images[1])
    motion = said.displacement[..., 12:-12, 12:-12].norm(dim=1).mean()
    gap = (said.displacement + warp(said.inverse, said.displacement))[..., 12:-12, 12:-12].norm(dim=1).mean()
    assert float(motion) > 0.3
    assert float(gap) < 0.05 * float(motion)


def test_levels_are_composed_so_that_each_sees_what_is_left():
    """A network each of whose levels says one voxel of its own: 4, 2 and 1 voxels of the image, in sum."""
    model = Pyramid(**SMALL)
    for compare in model.comparisons:
        torch.nn.init.zeros_(compare.last.weight)
        torch.nn.init.constant_(compare.last.bias, 1.0)
    with torch.no_grad():
        said = model(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)).displacement
    torch.testing.assert_close(said, torch.full_like(said, 7.0))


@pytest.mark.parametrize("shape", [(20, 31), (7, 12, 9)])
def test_the_affine_fit_is_exact_for_affine_displacements_whatever_their_weights(shape):
    torch.manual_seed(2)
    d = len(shape)
    known = AffineField(0.1 * torch.randn(3, d, d), torch.randn(3, d))
    weight = torch.rand(3, 1, *shape) + 0.01
    found = fitted(known.field(shape), weight)
    error = (found.field(shape) - known.field(shape)).norm(dim=1).mean()
    assert float(error) < 0.05 * float(known.field(shape).norm(dim=1).mean())  # it is a little stiff
    doubtful = torch.where(torch.rand(3, 1, *shape) < 0.3, 50.0, 0.0)
    again = fitted(known.field(shape) + doubtful, torch.where(doubtful > 0, 1e-7, weight))
    assert float((again.field(shape) - known.field(shape)).norm(dim=1).mean()) < 2 * float(error)


@pytest.mark.parametrize("d", [2, 3])
def test_affine_maps_are_composed_inverted_and_written_as_matrices(d):
    torch.manual_seed(3)
    first, second = (AffineField(0.1 * torch.randn(2, d, d), torch.randn(2, d)) for _ in range(2))
    shape = (9, 8, 7)[:d]
    matrices = [torch.eye(d + 1).repeat(2, 1, 1) for _ in range(3)]
    for matrix, field in zip(matrices, (first, second, first.after(second)), strict=True):
        matrix[:, :-1] = field.matrix(shape)
    torch.testing.assert_close(matrices[0] @ matrices[1], matrices[2])
    still = first.after(first.inverse())
    torch.testing.assert_close(still.field(shape), torch.zeros(2, d, *shape), atol=1e-5, rtol=0)
    at = torch.tensor([float(n - 1) for n in shape])  # the last voxel
    moved = (first.matrix(shape) @ torch.cat([at, torch.ones(1)]))[0] - at
    torch.testing.assert_close(moved, first.field(shape)[0].flatten(1)[:, -1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(small_inverse(matrices[0][:, :-1, :-1]), matrices[0][:, :-1, :-1].inverse())


def test_correlation_is_highest_at_the_right_shift():
    torch.manual_seed(4)
    fixed = torch.randn(1, 8, 10, 12)
    found = correlation(fixed, torch.roll(fixed, (1, -1), (2, 3)), 1)
    assert found.shape == (1, 9, 10, 12)
    assert int(found.mean((0, 2, 3)).argmax()) == 2 * 3 + 0  # one row down, one column to the left


@pytest.mark.parametrize("shape", [(9, 11), (5, 6, 7)])
def test_the_way_of_other_devices_gives_what_the_kernels_give(shape):
    torch.manual_seed(5)
    image, field = torch.rand(2, 3, *shape), 2 * torch.randn(2, len(shape), *shape)
    torch.testing.assert_close(fields._warp_by_torch(image, field), warp(image, field), atol=1e-5, rtol=1e-5)


def test_an_affine_network_comes_to_an_affine_map_in_mm():
    class Turning(AffineNetwork):
        def forward(self, fixed, moving):
            matrix = torch.tensor([[[1.1, 0.1, 2.0], [-0.2, 0.9, 1.0]]])
            field = AffineField(matrix[:, :, :2] - torch.eye(2), matrix[:, :, 2]).field(tuple(fixed.shape[2:]))
            return Prediction(field, field, None, matrix)

    matrix = torch.tensor([[1.9, 0.2, 5.0], [-0.3, 1.4, -7.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    space, image = Space((20, 24), matrix), torch.rand(1, 1, 20, 24)
    answer = predict(Turning(**SMALL), image, space, image, space)
    space = canonical(space)  # as a network is shown it
    voxels = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    square = torch.tensor([[1.1, 0.1, 2.0], [-0.2, 0.9, 1.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    there = (square @ square @ torch.tensor([3.0, 4.0, 1.0], dtype=torch.float64))[None, :2]  # it is asked twice
    torch.testing.assert_close(answer.transform(space.to_world(voxels)), space.to_world(there), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encoder": (4,), "half_resolution": True}, "2 at half resolution"),
        ({"decoder": ()}, "decoder features"),
        ({"correlation": 9}, "0 to 4 voxels"),
        ({"bidirectional": True}, "integrate=7"),
        ({"dimension": 4}, "2 or 3 dimensions"),
    ],
)
def test_sizes_that_make_no_pyramid_are_refused(settings, said):
    with pytest.raises(ModelError, match=said):
        Pyramid(**(SMALL | settings))


def test_an_affine_network_needs_coarse_levels():
    with pytest.raises(ModelError, match="at least 3 encoder levels"):
        AffineNetwork(encoder=(4, 4))


@pytest.mark.parametrize("model", [Pyramid(**SMALL, **SETTINGS[2]), AffineNetwork(**SMALL, bidirectional=True)])
def test_a_network_is_described_and_built_again(model):
    network = Network.of(model)
    assert Network.from_dict(network.to_dict()) == network
    assert network.build().settings == model.settings


def test_older_cards_are_read_and_settings_of_another_form_are_refused():
    tree = Network.of(VoxelMorph()).to_dict()
    del tree["correlation"], tree["affine"]
    assert Network.from_dict(tree) == Network()
    with pytest.raises(ModelError, match="VoxelMorph has no setting affine"):
        replace(Network(), affine=True).build()
