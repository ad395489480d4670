"""Registration: the result that a user holds."""

import pytest
import torch

from pullback.optimise import Status
from pullback.registration import Outcome, Registration
from pullback.registration.recipes import named
from pullback.transforms import Affine, resample


@pytest.fixture
def result(paint, grid):
    def make(status=Status.converged):
        space, shift = grid(2), Affine.translation([3.0, 1.0])
        outcomes = (Outcome("one", shift, Status.converged, seconds=1.5), Outcome("two", shift, status, seconds=2.0))
        return Registration(paint(space, shift), paint(space), shift, status, outcomes, None, named("rigid"))

    return make


@pytest.mark.parametrize("status", Status)
def test_it_is_ok_when_its_status_is(result, status):
    registration = result(status)
    assert registration.ok == status.ok
    assert registration.message == status.value


def test_warped_is_the_moving_image_on_the_fixed_grid(result):
    registration = result()
    expected = resample(registration.moving, registration.transform, registration.fixed.space)
    assert torch.equal(registration.warped.data, expected.data)
    assert registration.warped.space.same_as(registration.fixed.space)
    assert registration.warped is registration.warped, "made once"


def test_seconds_are_those_of_all_stages(result):
    assert result().seconds == 3.5


def test_it_tells_what_it_is(result):
    assert repr(result()) == "Registration(rigid: converged, 3.50 s, Affine(2D, determinant 1, offset (3, 1) mm))"
