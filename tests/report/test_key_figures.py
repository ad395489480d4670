import math
from dataclasses import replace

import pytest
import torch

from pullback.registration.remarks import number
from pullback.report.key_figures import key_figures, linear_part, parts
from pullback.space import Space
from pullback.transforms import Affine


def named(registration):
    return {f.name: f for f in key_figures(registration, *parts(registration.transform, registration.fixed.space))}


def test_the_linear_part_is_told_at_the_middle_of_the_image(oblique_space, dimension):
    space = oblique_space(dimension)
    angles = 12.0 if dimension == 2 else [0.0, -12.0, 0.0]
    shift = [3.0, 4.0, 0.0][:dimension]
    found = linear_part(Affine.similarity(1.1, angles, shift, space.centre), space)
    assert found.shift_mm == pytest.approx(5.0)
    assert found.angle_degrees == pytest.approx(12.0)
    assert found.volume == pytest.approx(1.1**dimension)


def test_shear_is_not_a_turn():
    linear = torch.tensor([[1.2, 0.3], [0.3, 0.9]], dtype=torch.float64)
    assert linear_part(Affine.about(linear), Space.of_array((9, 9))).angle_degrees == pytest.approx(0.0, abs=1e-5)


def test_parts_of_a_transform(bump, space):
    linear, deformation_mm = parts(Affine.translation([7.0] * space.dimension) @ bump(space, 4.0), space)
    assert linear.shift_mm == pytest.approx(7 * math.sqrt(space.dimension))
    assert deformation_mm == pytest.approx(4.0, rel=0.05)
    assert parts(Affine.identity(space.dimension), space)[1] is None


def test_every_key_figure_says_what_it_means(result, space):
    found = key_figures(result(space), *parts(result(space).transform, space))
    assert [f.name for f in found] == [
        "Loss, before → after",
        "Overlap",
        "Farthest pull",
        "Shift, turn, scale",
        "Deformation",
        "Local volume change",
        "Folding",
        "Time",
    ]
    assert all(len(f.meaning) > 20 for f in found)
    assert found[0].value == "0.5 → 0.2"
    assert found[0].unit == "60 % lower"
    assert "local correlation" in found[0].meaning
    assert "not a measure of accuracy" in found[0].meaning
    assert (found[1].value, found[1].unit) == ("98", "%")
    assert (found[-1].value, found[-1].unit) == ("2", "s")


def test_a_linear_result_has_no_figures_on_deformation(result, space):
    assert not {"Deformation", "Folding", "Local volume change"} & set(
        named(result(space, Affine.identity(space.dimension)))
    )


def test_without_quality_only_the_transform_is_told(result, space):
    assert set(named(replace(result(space), quality=None))) == {"Shift, turn, scale", "Deformation", "Time"}


@pytest.mark.parametrize(
    ("change", "name", "verdict"),
    [
        ({"loss_after": 0.6}, "Loss, before → after", "bad"),
        ({}, "Loss, before → after", "plain"),
        ({"overlap": 0.5}, "Overlap", "look"),
        ({"overlap": 0.95}, "Overlap", "good"),
        ({"fold_percent": 2.0}, "Folding", "bad"),
        ({"fold_percent": 0.1}, "Folding", "look"),
        ({}, "Folding", "good"),
        ({"jacobian_min": 0.05}, "Local volume change", "look"),
        ({"jacobian_max": 20.0}, "Local volume change", "look"),
    ],
)
def test_verdicts(result, change, name, verdict):
    made = result(Space.of_array((40, 40)))
    assert named(replace(made, quality=replace(made.quality, **change)))[name].verdict == verdict


def test_gains(result):
    quality = result(Space.of_array((40, 40))).quality
    assert quality.gain_percent == pytest.approx(60.0)
    assert replace(quality, loss_after=0.75).gain_percent == pytest.approx(-50.0)
    assert replace(quality, loss_before=0.0, loss_after=0.0).gain_percent == 0.0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.02313, "0.023"),
        (1.25, "1.25"),
        (13.651, "13.7"),
        (-3.0, "-3"),
        (1234.5, "1234"),
        (math.nan, "nan"),
    ],
)
def test_numbers_have_few_digits(value, text):
    assert number(value) == text
