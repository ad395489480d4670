import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback import ops
from pullback.errors import InputError, SpaceError
from pullback.evaluate import assd, hd95, surface_distances
from pullback.evaluate.marching import surface_sizes
from pullback.image import Labels
from pullback.space import Space


def blobs(seed, shape):
    noise = torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(seed))
    smooth = ops.smooth(noise, [1.2] * len(shape))
    a, b = smooth[0, 0] > 0.05, smooth[1, 0] > 0.05
    return a, b


def labels(mask, space):
    return Labels(mask.to(torch.int16), space)


def pieces(mask, space):
    """Places in world mm, and sizes, of the surface's pieces, one cell at a time."""
    padded = np.pad(mask.numpy(), 1)
    sizes = surface_sizes(space.linear)
    places, areas = [], []
    for cell in np.ndindex(*[n - 1 for n in padded.shape]):
        corners = padded[tuple(slice(c, c + 2) for c in cell)].flatten()
        if 0 < corners.sum() < corners.size:
            code = sum(1 << k for k, inside in enumerate(corners) if inside)
            places.append([c - 0.5 for c in cell])
            areas.append(float(sizes[code]))
    return space.to_world(torch.tensor(places, dtype=torch.float64)), torch.tensor(areas, dtype=torch.float64)


def brute_force(a, b, space):
    """(95 % Hausdorff, mean) by the definition, without any box, grid or map."""
    (at_a, areas_a), (at_b, areas_b) = pieces(a, space), pieces(b, space)
    there = torch.stack([(p - at_b).norm(dim=1).min() for p in at_a])
    back = torch.stack([(p - at_a).norm(dim=1).min() for p in at_b])
    percentiles = []
    for distances, areas in ((there, areas_a), (back, areas_b)):
        for candidate in distances.unique():  # rising
            if float(areas[distances <= candidate].sum()) >= (0.95 - 1e-9) * float(areas.sum()):
                percentiles.append(float(candidate))
                break
    mean = (there @ areas_a + back @ areas_b) / (areas_a.sum() + areas_b.sum())
    return max(percentiles), float(mean)


SPACES = {
    "2D": Space.of_array((9, 11), (1.5, 0.8)),
    "3D": Space.of_array((6, 7, 8), (3.0, 1.2, 1.0)),
    "rotated": Space((6, 7, 8), torch.block_diag(
        torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
        @ torch.diag(torch.tensor([4.0, 1.0, 1.5], dtype=torch.float64)), torch.ones(1, 1, dtype=torch.float64))),
    "sheared": Space((9, 11), torch.tensor([[1.0, 0.6, 3.0], [0.1, 2.0, 4.0], [0.0, 0.0, 1.0]])),
}  # fmt: skip


@pytest.mark.parametrize("name", SPACES)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=8)
def test_random_shapes_against_brute_force(name, seed):
    space = SPACES[name]
    a, b = blobs(seed, space.shape)
    if not (a.any() and b.any()):
        return
    distance, mean = brute_force(a, b, space)
    fixed, warped = labels(a, space), labels(b, space)
    assert hd95(fixed, warped)[1] == pytest.approx(distance, abs=1e-6)
    assert assd(fixed, warped)[1] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(("axis", "spacing"), [(0, 8.0), (1, 1.5), (2, 1.0)])
def test_a_slab_shifted_along_an_axis(axis, spacing):
    """A slab through the whole grid has two faces; shifted, each is a known distance away."""
    space = Space.of_array((14, 15, 16), (8.0, 1.5, 1.0))
    slab = torch.zeros(space.shape, dtype=torch.bool)
    slab.movedim(axis, 0)[4:7] = True
    moved = slab.roll(2, dims=axis)
    found = surface_distances(labels(slab, space), labels(moved, space))[1]
    assert found.hausdorff() == pytest.approx(2 * spacing)
    assert 0 < found.mean < 2 * spacing
    assert hd95(labels(slab, space), labels(slab, space)) == {1: 0.0}


def test_concentric_balls():
    space = Space.of_array((60, 60, 60))
    r = (space.grid() - space.centre).norm(dim=-1)
    inner, outer = labels(r < 16, space), labels(r < 22, space)
    assert hd95(inner, outer)[1] == pytest.approx(6.0, abs=0.7)
    assert assd(inner, outer)[1] == pytest.approx(6.0, abs=0.7)
    assert hd95(inner, outer)[1] == hd95(outer, inner)[1]


def test_five_per_cent_may_be_far_away_and_no_more():
    space = Space.of_array((100, 100))
    disc = ((space.grid() - space.centre).norm(dim=-1) < 30).to(torch.int16)
    speck = disc.clone()
    speck[2:4, 2:4] = 1  # its outline is about 3 % of the disc's
    assert hd95(Labels(disc, space), Labels(speck, space))[1] == 0.0
    assert surface_distances(Labels(disc, space), Labels(speck, space))[1].hausdorff() > 30
    speck[2:12, 2:12] = 1
    assert hd95(Labels(disc, space), Labels(speck, space))[1] > 20


def test_rotation_and_place_do_not_matter():
    a, b = blobs(4, (7, 9, 8))
    plain = Space.of_array((7, 9, 8), (4.0, 1.0, 1.5))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)).Q
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3], matrix[:3, 3] = turn @ plain.linear, torch.tensor([30.0, -20.0, 7.0])
    turned = Space(plain.shape, matrix)
    assert hd95(labels(a, plain), labels(b, plain))[1] == pytest.approx(hd95(labels(a, turned), labels(b, turned))[1])
    assert assd(labels(a, plain), labels(b, plain))[1] == pytest.approx(assd(labels(a, turned), labels(b, turned))[1])


def test_one_slice_in_3d_is_measured_as_a_slice():
    a, b = blobs(6, (20, 22))
    flat, stack = Space.of_array((20, 22), (1.5, 1.2)), Space.of_array((1, 20, 22), (8.0, 1.5, 1.2))
    assert hd95(labels(a[None], stack), labels(b[None], stack)) == pytest.approx(hd95(labels(a, flat), labels(b, flat)))
    assert assd(labels(a[None], stack), labels(b[None], stack)) == pytest.approx(assd(labels(a, flat), labels(b, flat)))


def test_numbers_of_another_tool():
    """DeepMind's surface-distance 0.1 on this pair: 95 % distance, and its two means weighted by its two areas."""
    grid = np.stack(np.meshgrid(*[np.arange(24)] * 3, indexing="ij"), axis=-1) - 11.5
    r, a, b, c = np.linalg.norm(grid, axis=-1), *np.moveaxis(grid, -1, 0)
    one, two = r < 8 + np.sin(a / 2) + np.cos(b / 3), r < 7 + 1.5 * np.sin(b / 2) - np.cos(c / 4)
    space = Space.of_array((24, 24, 24), (3.0, 1.0, 2.0))
    fixed, warped = (Labels.of(x.astype(np.int16), space=space) for x in (one, two))
    assert hd95(fixed, warped)[1] == pytest.approx(PEER_HD95, abs=1e-6)
    assert assd(fixed, warped)[1] == pytest.approx(PEER_ASSD, rel=0.005)  # its table of areas is another one


PEER_HD95, PEER_ASSD = 6.0, 2.0803178


def test_absent_labels_are_not_numbers():
    a, b = blobs(7, (9, 9))
    space = Space.of_array((9, 9))
    fixed = Labels(a.to(torch.int16), space)
    found = hd95(fixed, Labels(3 * b.to(torch.int16), space))
    assert set(found) == {1, 3}
    assert all(math.isnan(v) for v in found.values())
    assert all(math.isnan(v) for v in assd(fixed, Labels(torch.zeros_like(fixed.data), space)).values())


def test_bad_input_is_named():
    a, _ = blobs(8, (9, 9))
    fixed = labels(a, Space.of_array((9, 9)))
    with pytest.raises(SpaceError, match="one grid"):
        hd95(fixed, labels(a, Space.of_array((9, 9), 2.0)))
    with pytest.raises(InputError, match="percentile"):
        surface_distances(fixed, fixed)[1].hausdorff(0)
