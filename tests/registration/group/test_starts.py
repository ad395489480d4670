"""Groups whose headers disagree: they are told, or brought together first."""

import pytest
import torch

from pullback.energy import NCC, Energy
from pullback.errors import InputError
from pullback.image import Image
from pullback.optimise import LBFGS, Level, Linear, Schedule
from pullback.phantom import heart, heart_space
from pullback.registration import Optimise, Recipe
from pullback.registration.group import group_cost, register_group
from pullback.space import Space
from pullback.transforms import Affine

SPACE = heart_space(2, (64, 64), (4.2, 4.2))
RIGID = Recipe("rigid", "", (Optimise(Linear("rigid"), Energy(NCC()), LBFGS(), Schedule((Level(2, 15),))),))
COST = group_cost("pairwise")


def lying(*places):
    """One heart under several headers: the truth is that of the headers, relative to the first."""
    image = heart(space=SPACE, seed=1).image
    return [Image(image.data, Space(SPACE.shape, place.matrix @ SPACE.matrix)) for place in places]


def errors_mm(result, places):
    points = SPACE.centre + torch.tensor([[30.0, 0.0], [0.0, 30.0], [-30.0, -30.0]], dtype=torch.float64)
    world = [place(points) for place in places]
    seen = torch.stack([t.inverse()(p) for t, p in zip(result.transforms, world, strict=True)])
    return float((seen - seen.mean(dim=0)).norm(dim=-1).max())


FAR = (Affine.identity(2), Affine.translation([400.0, -90.0]), Affine.translation([0.0, 300.0]))
TURNED = (Affine.identity(2), Affine.rigid(95.0, [12.0, -8.0], SPACE.centre), Affine.rigid(-60.0, None, SPACE.centre))


def test_images_that_do_not_meet_are_named():
    with pytest.raises(InputError, match=r"images 1, 2 \(from 0\) do not overlap .* give --start centres"):
        register_group(lying(*FAR), RIGID, COST)
    with pytest.raises(InputError, match=r"image 1 \(from 0\) does not"):
        register_group(lying(*FAR[:2]), RIGID, COST)


def test_centres_bring_far_headers_together():
    result = register_group(lying(*FAR), RIGID, COST, start="centres")
    assert result.ok
    assert errors_mm(result, FAR) < 0.5


def test_a_search_finds_turned_images():
    plain = register_group(lying(*TURNED), RIGID, COST)
    found = register_group(lying(*TURNED), RIGID, COST, start="search")
    assert found.ok
    assert errors_mm(found, TURNED) < 1.0 < errors_mm(plain, TURNED)


def test_no_such_start():
    with pytest.raises(InputError, match="one of headers, centres, search; got 'moments'"):
        register_group(lying(*FAR), RIGID, COST, start="moments")
