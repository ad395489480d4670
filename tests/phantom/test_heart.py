import dataclasses

import pytest
import torch

from pullback.errors import InputError
from pullback.phantom import Anatomy, heart, heart_space
from pullback.space import Space

COARSE = heart_space(3, (12, 48, 48), (8, 5, 5))


def level(phantom, label):
    return float(phantom.image.data[0][phantom.labels.data == label].mean())


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_all_parts_are_there_and_of_human_size(dimension, seed):
    phantom = heart(dimension, seed=seed, space=heart_space(3, (24, 64, 64), (4, 3, 3)) if dimension == 3 else None)
    space, labels = phantom.labels.space, phantom.labels.data
    assert phantom.image.space.same_as(space)
    assert phantom.labels.values == (1, 2, 3)
    voxel = float(torch.linalg.det(space.linear).abs())
    size = {label: float((labels == label).sum()) * voxel for label in (1, 2, 3)}
    if dimension == 3:  # ml
        assert 90 < size[3] / 1000 < 190
        assert 60 < size[1] / 1000 < 190
        assert 90 < size[2] / 1000 * 1.05 < 190  # grams
    else:  # the cavity's diameter in mm
        assert 40 < 2 * (size[3] / torch.pi) ** 0.5 < 56


def test_wall_encloses_the_left_cavity_and_nothing_else_touches_it():
    labels = heart(2).labels.data
    cavity = labels == 3
    for shift in (1, -1):
        for axis in (0, 1):
            around = labels[cavity.roll(shift, dims=axis)]
            assert set(around.unique().tolist()) <= {2, 3}


def test_the_right_ventricle_is_on_the_left_of_the_picture():
    labels = heart(2).labels.data
    columns = [float((labels == label).nonzero()[:, 1].to(torch.float32).mean()) for label in (1, 3)]
    assert columns[0] < columns[1] - 15


def test_contrasts():
    cine, t2 = heart(2, "cine"), heart(2, "t2")
    assert torch.equal(cine.labels.data, t2.labels.data)
    assert level(cine, 3) > 2 * level(cine, 2)  # bright blood
    assert level(cine, 1) > 2 * level(cine, 2)
    assert level(t2, 3) < 0.6 * level(t2, 2)  # dark blood
    assert level(t2, 2) > level(cine, 2)
    assert not torch.equal(cine.image.data < 0.02, t2.image.data < 0.02)  # other noise


def test_same_seed_same_bits():
    first, again, other = (heart(3, seed=seed, space=COARSE) for seed in (5, 5, 6))
    assert torch.equal(first.image.data, again.image.data)
    assert torch.equal(first.labels.data, again.labels.data)
    assert not torch.equal(first.labels.data, other.labels.data)


def test_borders_are_soft_and_muscle_is_textured():
    phantom = heart(2, noise=0, bias=0)
    image, labels = phantom.image.data[0], phantom.labels.data
    wall = image[labels == 2]
    middle = wall[(wall - wall.median()).abs() < 0.12]
    assert 0.02 < float(middle.std()) < 0.08
    steps = torch.cat([image.diff(dim=0).abs().flatten(), image.diff(dim=1).abs().flatten()])
    assert float(steps.max()) < 0.5  # no border jumps from blood to muscle between two voxels


def test_finer_grids_show_the_same_heart():
    coarse = heart(2, noise=0, bias=0, space=heart_space(2, (96, 96), (2.8, 2.8)))
    fine = heart(2, noise=0, bias=0, space=coarse.image.space.resized((288, 288)))
    means = torch.nn.functional.avg_pool2d(fine.image.data, 3)
    assert float((means - coarse.image.data).abs().mean()) < 0.025


def test_a_slice_is_the_stack_at_mid_level():
    stack = heart(3, space=heart_space(3, (1, 64, 64), (2, 3, 3)), noise=0, bias=0, slice_samples=1)
    flat = heart(2, space=heart_space(2, (64, 64), (3, 3)), noise=0, bias=0)
    assert stack.image.data.shape == (1, 1, 64, 64)
    assert set(flat.labels.values) == {1, 2, 3}
    assert float((stack.labels.data[0] == flat.labels.data).float().mean()) > 0.9


def test_thick_slices_blur():
    space = heart_space(3, (9, 48, 48), (10, 5, 5))
    thin, thick = (heart(3, space=space, noise=0, bias=0, slice_samples=n).image.data for n in (1, 5))
    assert 0.005 < float((thin - thick).abs().mean()) < 0.1


def test_an_oblique_space_shows_the_same_heart_in_its_middle():
    plain = heart_space(2, (64, 64), (4, 4))
    turned = Space(plain.shape, plain.flip(1).matrix)
    a, b = (heart(2, space=space, noise=0, bias=0) for space in (plain, turned))
    assert torch.allclose(a.image.data, b.image.data.flip(2), atol=1e-5)


def test_an_anatomy_is_a_value():
    assert Anatomy.random(3) == Anatomy.random(3)
    assert Anatomy.random(3) != Anatomy.random(4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Anatomy().wall_mm = 2.0


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"contrast": "t1"}, "there is no contrast 't1'"),
        ({"dimension": 4}, "2D or 3D"),
        ({"dimension": 3, "space": heart_space(2)}, "3D space"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(InputError, match=words):
        heart(**arguments)


def test_bad_shapes_are_named():
    with pytest.raises(InputError, match="2 numbers"):
        heart_space(2, (3, 4, 5))
