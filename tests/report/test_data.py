from dataclasses import FrozenInstanceError, replace

import pytest

import pullback.report
from pullback.optimise import Status
from pullback.report import KeyFigure, data
from pullback.space import Space


def test_a_good_result_is_not_called_accurate(result, space):
    said = data(replace(result(space), provenance={}))
    assert said.ok
    assert said.headline.startswith("The registration ran to its end, and its numbers look sound.")
    assert said.detail == Status.converged.value
    assert said.accuracy == ()


def test_a_grave_remark_is_in_the_headline(result, space):
    made = result(space)
    said = data(replace(made, quality=replace(made.quality, overlap=0.1)))
    assert "look at the warnings" in said.headline


@pytest.mark.parametrize("status", [s for s in Status if not s.ok])
def test_a_failure_is_called_a_failure(result, status):
    said = data(result(Space.of_array((40, 40)), status=status))
    assert not said.ok
    assert "did not succeed" in said.headline
    assert said.detail == status.value


def test_stages_are_told_one_by_one(result):
    stages = data(result(Space.of_array((40, 40)))).stages
    assert [s.stage for s in stages] == ["align centres", "rigid", "affine", "deformable", "spline finish"]
    assert stages[0].notes == ("started from: header",)
    assert stages[0].levels == ()
    assert stages[2].status == "max steps"
    assert stages[3].compares == "local correlation"
    assert stages[3].levels == ((4.0, 4, 0.5, 0.34), (1.0, 3, 0.42, 0.22))
    assert stages[3].kernels == (("cpu", ("lncc",)), ("reference", ("sample", "smooth")))
    assert stages[3].seconds == 1.25


def test_images_are_named_without_folders(result):
    space = Space.of_array((9, 48, 56), (8.0, 1.5, 1.5))
    fixed, moving = data(result(space)).images
    assert (fixed.role, fixed.name, moving.role, moving.name) == ("fixed", "ed.nii.gz", "moving", "es.nii.gz")
    assert fixed.voxels == (9, 48, 56)
    assert fixed.spacing_mm == (8.0, 1.5, 1.5)
    assert fixed.extent_mm == (72.0, 72.0, 84.0)


def test_folders_are_shown_to_who_asks(result):
    made = result(Space.of_array((40, 40)))
    assert "Miller" not in str(data(made))
    assert "/data/Miller_Anna/ed.nii.gz" in str(data(made, show_folders=True))


def test_accuracy_is_what_was_measured(result):
    dice = KeyFigure("Dice", "0.91", "", "overlap of the labels after registration; 1 is perfect", "good")
    assert data(result(Space.of_array((40, 40))), accuracy=[dice]).accuracy == (dice,)


def test_report_data_is_a_value(result):
    said = data(result(Space.of_array((40, 40))))
    with pytest.raises(FrozenInstanceError):
        said.ok = False


def test_the_public_names():
    assert {"data", "figure", "write"} <= set(pullback.report.__all__)
    assert all(hasattr(pullback.report, name) for name in pullback.report.__all__)
