import pytest
import torch

from pullback.errors import ModelError
from pullback.learn import Network, VoxelMorph, warp

SMALL = {"encoder": (4, 4), "decoder": (4, 4, 4)}


def stirred(model: VoxelMorph) -> VoxelMorph:
    """A network that moves things: its last layer no longer starts near zero."""
    torch.manual_seed(0)
    torch.nn.init.normal_(model.flow.weight, std=0.3)
    return model


def test_the_default_is_the_network_of_the_tutorial():
    """Every convolution 3 x 3 with a bias: in and out channels as the tutorial's encoder and decoder connect them."""
    channels = [(2, 32), (32, 32), (32, 32), (32, 32), (64, 32), (64, 32), (64, 32), (32, 16), (16, 2)]
    expected = sum(9 * into * out + out for into, out in channels)
    assert sum(p.numel() for p in VoxelMorph().parameters()) == expected


@pytest.mark.parametrize("settings", [{}, {"half_resolution": True}, {"integrate": 4, "half_resolution": True}])
@pytest.mark.parametrize("shape", [(16, 16), (13, 22), (5, 7, 9)])
def test_any_shape_gives_a_displacement_of_every_voxel(settings, shape):
    model = VoxelMorph(dimension=len(shape), **SMALL, **settings)
    images = torch.rand(2, 3, 1, *shape)
    with torch.no_grad():
        said = model(images[0], images[1])
    assert said.displacement.shape == (3, len(shape), *shape)
    assert torch.isfinite(said.displacement).all()
    assert float(said.displacement.abs().max()) < 0.01  # training starts from almost no motion


def test_an_integrated_network_hardly_folds_and_its_way_back_is_the_inverse():
    torch.manual_seed(1)
    model = stirred(VoxelMorph(integrate=6, half_resolution=True, bidirectional=True, flow_scale=10.0, **SMALL))
    images = torch.nn.functional.avg_pool2d(torch.rand(2, 1, 48, 48), 9, 1, 4)[:, None]
    with torch.no_grad():
        said = model(images[0], images[1])
    motion = said.displacement[..., 8:-8, 8:-8].norm(dim=1)
    gap = (said.displacement + warp(said.inverse, said.displacement))[..., 8:-8, 8:-8].norm(dim=1)
    assert float(motion.mean()) > 0.3
    assert float(gap.mean()) < 0.05 * float(motion.mean())


def test_gradients_reach_every_weight():
    model = stirred(VoxelMorph(integrate=3, bidirectional=True, half_resolution=True, **SMALL))
    images = torch.rand(2, 2, 1, 16, 16)
    said = model(images[0], images[1])
    (warp(images[1], said.displacement).square().mean() + said.inverse.square().mean()).backward()
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in model.parameters())


def test_warp_agrees_with_torch_and_so_do_its_gradients():
    torch.manual_seed(1)
    image = torch.rand(2, 3, 9, 11, requires_grad=True)
    displacement = (torch.rand(2, 2, 9, 11) - 0.5).requires_grad_()
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(11.0), indexing="ij")
    at = torch.stack([2 * (columns + displacement[:, 1]) / 10 - 1, 2 * (rows + displacement[:, 0]) / 8 - 1], dim=-1)
    expected = torch.nn.functional.grid_sample(image, at, padding_mode="border", align_corners=True)
    found, probe = warp(image, displacement), torch.rand(2, 3, 9, 11)
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad((found * probe).sum(), (image, displacement))
    theirs = torch.autograd.grad((expected * probe).sum(), (image, displacement))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dimension": 4}, "2 or 3 dimensions"),
        ({"encoder": ()}, "encoder levels"),
        ({"encoder": (4, 4, 4), "decoder": (4,)}, "decoder"),
        ({"encoder": (100_000,), "decoder": (4,)}, "1 to 1024"),
        ({"bidirectional": True}, "integrate=7"),
        ({"integrate": -1}, "squarings"),
        ({"flow_scale": 0}, "flow_scale"),
    ],
)
def test_sizes_that_make_no_network_are_refused(settings, said):
    with pytest.raises(ModelError, match=said):
        VoxelMorph(**settings)


def test_other_images_than_it_was_made_for_are_refused():
    model = VoxelMorph(channels=2, **SMALL)
    with pytest.raises(ModelError, match=r"2D batches \(b, 2, \*shape\)"):
        model(torch.rand(1, 1, 8, 8), torch.rand(1, 1, 8, 8))


def test_a_network_is_described_and_built_again():
    network = Network.of(VoxelMorph(channels=2, integrate=5, half_resolution=True, flow_scale=3.0, **SMALL))
    assert Network.from_dict(network.to_dict()) == network
    assert Network.of(network.build()) == network
    for wrong in (None, {}, network.to_dict() | {"form": "os.system"}, network.to_dict() | {"dimension": "2"}):
        with pytest.raises(ModelError):
            Network.from_dict(wrong)
