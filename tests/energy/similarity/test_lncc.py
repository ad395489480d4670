"""The box of a local correlation is as wide in mm along every axis."""

import torch

from pullback.energy import LNCC
from pullback.space import Space


def test_thick_slices_get_a_flat_box():
    assert LNCC(radius_voxels=2).on(Space.of_array((10, 64, 64), (8.0, 1.5, 1.5))).radii == (0, 2, 2)
    assert LNCC(radius_voxels=4).on(Space.of_array((10, 64, 64), (4.0, 2.0, 2.0))).radii == (2, 4, 4)
    assert LNCC(radius_voxels=3).on(Space.of_array((64, 64), (2.0, 1.0))).radii == (2, 3)


def test_a_single_slice_does_not_set_the_reach():
    assert LNCC(radius_voxels=2).on(Space.of_array((1, 64, 64), (0.1, 1.5, 1.5))).radii[1:] == (2, 2)


def test_a_radius_given_outright_is_kept():
    fixed = LNCC(radii=(1, 5))
    assert fixed.on(Space.of_array((20, 20), (3.0, 1.0))) is fixed


def test_a_slice_of_a_volume_is_judged_like_the_image_it_is():
    generator = torch.Generator().manual_seed(0)
    fixed, warped = torch.rand(2, 1, 1, 30, 40, generator=generator)
    flat = LNCC().on(Space.of_array((30, 40))).loss(fixed, warped)
    deep = LNCC().on(Space.of_array((1, 30, 40))).loss(fixed[:, :, None], warped[:, :, None])
    assert torch.allclose(flat, deep, atol=1e-6)


def test_a_smaller_box_sees_finer_shading():
    generator = torch.Generator().manual_seed(0)
    fixed = torch.rand(1, 1, 32, 64, generator=generator)
    shading = 0.5 * torch.sin(torch.arange(64) * 0.25)
    small, large = (float(LNCC(radius_voxels=r).loss(fixed, fixed + shading)) for r in (2, 12))
    assert small < 0.8 * large
