import json
from dataclasses import replace

import pytest
import torch

from pullback.cli.summary import summary
from pullback.image import Image
from pullback.optimise import Linear
from pullback.registration import recipes
from pullback.registration.remarks import remarks
from pullback.report import data
from pullback.report.key_figures import parts
from pullback.space import Space
from pullback.transforms import Affine, Halfway


def titles(registration, grave=None):
    _, deformation_mm = parts(registration.transform, registration.fixed.space)
    return [r.title for r in remarks(registration, deformation_mm) if grave is None or r.grave is grave]


def placed(shape, spacing):
    matrix = Space.of_array(shape, spacing).matrix.clone()
    matrix[:-1, -1] = torch.tensor([41.0, -23.0, 77.0][: len(shape)], dtype=torch.float64)
    return Space(shape, matrix)


PLAIN = placed((40, 40), (1.5, 1.5))


def test_a_good_result_has_none(result):
    assert titles(result(PLAIN)) == []


@pytest.mark.parametrize(
    ("change", "title", "grave"),
    [
        ({"fold_percent": 0.01}, "Folding", False),
        ({"fold_percent": 3.0}, "Folding", True),
        ({"overlap": 0.6}, "Low overlap", False),
        ({"overlap": 0.1}, "Low overlap", True),
        ({"loss_after": 0.498}, "Hardly a gain", True),
        ({"loss_after": 0.7}, "Hardly a gain", True),
        ({"jacobian_min": 0.02}, "Strong local volume change", False),
        ({"jacobian_max": 12.0}, "Strong local volume change", False),
        ({"displacement_mm": 45.0}, "Huge displacement", False),
    ],
)
def test_figures_that_are_worth_a_remark(result, change, title, grave):
    made = result(PLAIN)
    assert titles(replace(made, quality=replace(made.quality, **change)), grave) == [title]


def test_identical_images_have_nothing_to_gain(result):
    made = result(PLAIN)
    quality = replace(made.quality, loss_before=1e-5, loss_after=1e-5)
    assert titles(replace(made, quality=quality)) == []


def test_a_huge_deformation_is_not_a_huge_shift(result, bump):
    bent = result(PLAIN, bump(PLAIN, 12.0))
    assert titles(bent, grave=True) == ["Huge deformation"]
    assert [remark.title for remark in bent.remarks if remark.grave] == ["Huge deformation"]  # without a report too
    assert titles(result(PLAIN, Affine.translation([12.0, 0.0])), grave=True) == []


def test_stages_that_did_not_run_are_told(result):
    made = result(PLAIN)
    found = remarks(replace(made, outcomes=made.outcomes[:2]), None)
    assert found[0].title == "Stages did not run"
    assert "after rigid; 3 of 5 stages" in found[0].text


def test_thick_slices_are_told_once_if_both_images_have_them(result):
    stack = placed((12, 40, 40), (8.0, 1.5, 1.5))
    made = result(stack)
    assert titles(made) == ["Thick slices (both images)"]
    fine = placed((40, 40, 40), (2.0, 2.0, 2.0))
    thin = replace(made, moving=Image(torch.rand(1, 40, 40, 40), fine))
    assert titles(thin) == ["Thick slices (fixed image)"]


def test_few_slices_are_told(result):
    assert titles(result(placed((3, 40, 40), (2.0, 1.5, 1.5)))) == ["Few slices (both images)"]


def test_an_orientation_that_is_not_known_is_told(result):
    assert titles(result(Space.of_array((40, 40), 1.5))) == ["Orientation unknown"]


@pytest.mark.parametrize(
    "warnings", ["a bad header in /data/Miller/ed.nii.gz", ["a bad header in /data/Miller/ed.nii.gz"]]
)
def test_warnings_about_the_input_are_passed_on_without_folders(result, warnings):
    made = result(PLAIN)
    made = replace(made, provenance={"warnings": warnings})
    (found,) = made.remarks
    assert found.grave
    assert "/data/Miller/" in found.text
    assert data(made).remarks[0].text == "a bad header in ed.nii.gz"
    assert "/data/Miller/" in data(made, show_folders=True).remarks[0].text


@pytest.mark.parametrize(("scale", "told"), [(0.6, True), (0.8, False), (1.3, False), (1.6, True)])
@pytest.mark.parametrize("dimension", [2, 3])
def test_a_scale_that_no_two_people_differ_by_is_told(result, scale, told, dimension):
    space = placed((24,) * dimension, (2.0,) * dimension)
    made = result(space, Affine.similarity(scale, centre=space.centre))
    assert titles(made, grave=True) == ["Everything changes its size"] * told
    resized = replace(made, recipe=recipes.named("similarity"))
    assert "Everything changes its size" not in titles(resized)


def test_a_mirror_image_is_told(result):
    mirrored = Affine.about(torch.diag(torch.tensor([-1.0, 1.0])), centre=PLAIN.centre)
    assert "Mirrored" in titles(result(PLAIN, mirrored), grave=True)


def test_the_gravest_come_first(result):
    made = result(placed((3, 40, 40), (9.0, 1.5, 1.5)))
    found = remarks(replace(made, quality=replace(made.quality, fold_percent=2.0, overlap=0.6)), None)
    assert [r.grave for r in found] == sorted((r.grave for r in found), reverse=True)
    assert len(found) == 4


def test_a_scale_is_told_of_both_halves_and_of_a_single_slice(result):
    space = placed((24, 24, 24), (2.0, 2.0, 2.0))
    halves = Affine.similarity(1.4, centre=space.centre), Affine.similarity(0.7, centre=space.centre)
    assert "Everything changes its size" in titles(result(space, Halfway(*halves, space)))
    slice_ = placed((1, 40, 40), (8.0, 1.5, 1.5))
    scale = torch.diag(torch.tensor([0.6, 0.6, 1.0], dtype=torch.float64))
    assert "Everything changes its size" in titles(result(slice_, Affine.about(scale, centre=slice_.centre)))


def test_a_scale_that_a_symmetric_recipe_was_asked_for_is_not(result):
    space = placed((24, 24), (2.0, 2.0))
    freedom = replace(recipes.named("longitudinal").stages[1], model=Linear("similarity"))
    recipe = replace(recipes.named("longitudinal"), stages=(freedom,))
    made = result(space, Affine.similarity(0.5, centre=space.centre), recipe=recipe)
    assert "Everything changes its size" not in titles(made)


def test_grave_remarks_are_printed_and_saved(result, tmp_path):
    made = result(PLAIN)
    made = replace(made, quality=replace(made.quality, overlap=0.1))
    assert "  look twice     Low overlap: Only 10 % of" in summary(made)
    assert json.loads((made.save(tmp_path / "r") / "result.json").read_text())["remarks"][0]["title"] == "Low overlap"
    told = replace(made, provenance={"warnings": ["a bad header"]})
    assert "a bad header" not in summary(told), "it was printed when the image was read"
