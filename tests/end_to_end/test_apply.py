"""pullback apply: what register carries along, later."""

import nibabel
import numpy as np
import pytest
import torch

import pullback as pb


@pytest.fixture(params=["flat", "deep"])
def case(request):
    """(the folder of the images, the folder of their result)."""
    folder = request.getfixturevalue(request.param)
    return folder, request.getfixturevalue("result" if request.param == "flat" else "deep_result")


def test_labels_are_those_that_register_wrote(run, case, tmp_path):
    folder, result = case
    assert run("apply", result, folder / "seg.nii.gz", "--labels", "--out", tmp_path / "seg.nii.gz").code == 0
    ours, theirs = (pb.read_labels(path) for path in (tmp_path / "seg.nii.gz", result / "seg_warped.nii.gz"))
    assert torch.equal(ours.data, theirs.data)
    assert ours.space.same_as(theirs.space)
    assert len(ours.values) == 3


def test_the_displacement_is_that_which_register_wrote(run, case, tmp_path):
    _, result = case
    assert run("apply", result, "--displacement", "--out", tmp_path / "d.nii.gz").code == 0
    ours, theirs = (nibabel.load(path) for path in (tmp_path / "d.nii.gz", result / "displacement.nii.gz"))
    assert ours.header["intent_code"] == theirs.header["intent_code"] == 1007
    assert ours.shape == theirs.shape
    assert ours.shape[-1] == len([n for n in ours.shape[:3] if n > 1])
    assert np.abs(ours.get_fdata() - theirs.get_fdata()).max() < 1e-4


def test_an_image_is_that_which_register_wrote(run, case, tmp_path):
    folder, result = case
    assert run("apply", result, folder / "moving.nii.gz", "--out", tmp_path / "w.nii.gz").code == 0
    assert torch.allclose(
        pb.read_image(tmp_path / "w.nii.gz").data, pb.read_image(result / "warped.nii.gz").data, atol=1e-4
    )


def test_points_are_those_that_register_wrote_and_come_back_with_the_inverse(run, case, tmp_path):
    folder, result = case
    there, back = tmp_path / "there.csv", tmp_path / "back.csv"
    assert run("apply", result, folder / "points.csv", "--points", "--out", there).code == 0
    assert run("apply", result, there, "--points", "--inverse", "--out", back).code == 0
    moved, again, start = (pb.read_points(path).world for path in (there, back, folder / "points.csv"))
    assert torch.allclose(moved, pb.read_points(result / "points_moved.csv").world, atol=1e-4)
    assert float((again - start).norm(dim=1).max()) < 1e-2


def test_the_inverse_takes_an_image_from_fixed_to_moving(run, flat, result, tmp_path):
    assert run("apply", result, flat / "fixed.nii.gz", "--inverse", "--out", tmp_path / "w.nii.gz").code == 0
    fixed, moving, carried = (pb.read_image(path) for path in (
        flat / "fixed.nii.gz", flat / "moving.nii.gz", tmp_path / "w.nii.gz"))  # fmt: skip
    assert carried.space.same_as(moving.space)
    assert float((carried.data - moving.data).abs().mean()) < 0.75 * float((fixed.data - moving.data).abs().mean())


def test_the_default_grid_of_the_inverse_is_that_of_the_moving_image(run, flat, quick, tmp_path):
    moving = pb.read_image(flat / "moving.nii.gz")
    small = pb.apply(pb.Affine.identity(2), moving, onto=moving.space.resized((30, 26)))
    pb.write_image(small, tmp_path / "moving.nii.gz")
    words = ("--out", tmp_path / "r", "--recipe", quick)
    assert run("register", flat / "fixed.nii.gz", tmp_path / "moving.nii.gz", *words).code == 0
    assert run("apply", tmp_path / "r", flat / "fixed.nii.gz", "--inverse", "--out", tmp_path / "w.nii.gz").code == 0
    assert pb.read_image(tmp_path / "w.nii.gz").space.same_as(small.space)
    words = ("--displacement", "--inverse", "--out", tmp_path / "d.nii.gz")
    assert run("apply", tmp_path / "r", *words).code == 0
    assert nibabel.load(tmp_path / "d.nii.gz").shape[:2] == (26, 30)


def test_onto_chooses_the_grid_and_interpolation_the_reading(run, flat, result, tmp_path):
    image = pb.read_image(flat / "fixed.nii.gz")
    pb.write_image(pb.apply(pb.Affine.identity(2), image, onto=image.space.resized((20, 22))), tmp_path / "grid.nii.gz")
    for how in ("nearest", "linear", "cubic"):
        words = ("--onto", tmp_path / "grid.nii.gz", "--interpolation", how, "--out", tmp_path / f"{how}.nii.gz")
        assert run("apply", result, flat / "moving.nii.gz", *words).code == 0
    nearest, linear, cubic = (pb.read_image(tmp_path / f"{how}.nii.gz") for how in ("nearest", "linear", "cubic"))
    assert nearest.space.shape == (20, 22)
    values = {0.0, *pb.read_image(flat / "moving.nii.gz").data.unique().tolist()}
    assert set(nearest.data.unique().tolist()) <= values
    assert not torch.allclose(linear.data, cubic.data, atol=1e-3)


def test_a_bare_transform_needs_a_grid_and_then_does_the_same(run, flat, result, tmp_path):
    words = ("apply", result / "transform.h5", flat / "moving.nii.gz", "--out", tmp_path / "w.nii.gz")
    refused = run(*words)
    assert refused.code == 2
    assert "--onto" in refused.err
    assert not (tmp_path / "w.nii.gz").exists()
    assert run(*words, "--onto", flat / "fixed.nii.gz").code == 0
    assert torch.allclose(
        pb.read_image(tmp_path / "w.nii.gz").data, pb.read_image(result / "warped.nii.gz").data, atol=1e-4
    )
    words = ("apply", result / "transform.h5", flat / "points.csv", "--points", "--out", tmp_path / "p.csv")
    assert run(*words).code == 0


def test_a_displacement_file_may_be_applied_as_it_is(run, flat, result, tmp_path):
    words = ("--onto", flat / "fixed.nii.gz", "--out", tmp_path / "w.nii.gz")
    assert run("apply", result / "displacement.nii.gz", flat / "moving.nii.gz", *words).code == 0
    ours, theirs = (pb.read_image(path).data for path in (tmp_path / "w.nii.gz", result / "warped.nii.gz"))
    assert float((ours - theirs).abs().mean()) < 1e-3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{result} --out o.nii.gz", "there is nothing to carry"),
        ("{result} {flat}/seg.nii.gz --displacement --out o.nii.gz", "--displacement takes no THING"),
        ("{result} {flat}/seg.nii.gz --labels --points --out o.nii.gz", "not allowed with argument"),
        ("{result} {flat}/seg.nii.gz --labels --interpolation cubic --out o.nii.gz", "--interpolation is for images"),
        ("{result} {flat}/points.csv --points --onto {flat}/fixed.nii.gz --out o.csv", "points need no grid"),
        ("{result} {flat}/moving.nii.gz --interpolation cubist --out o.nii.gz", "invalid choice"),
        ("{result} {flat}/moving.nii.gz --labels --out o.nii.gz", "whole numbers"),
        ("{result} {flat}/moving.nii.gz --points --out o.csv", "no point format"),
        ("{result} {flat}/points.csv --out o.nii.gz", "no image format"),
        ("{result} {flat}/moving.nii.gz --out o.xyz", "no image format that pullback writes"),
        ("{result} {flat}/moving.nii.gz --out nowhere/o.nii.gz", "does not exist"),
        ("{result} {flat}/moving.nii.gz --out {flat}/moving.nii.gz", "is one of the inputs"),
        ("{result} {flat}/moving.nii.gz --frame 1 --out o.nii.gz", "frame 1 does not exist"),
        ("{result} {deep}/moving.nii.gz --out o.nii.gz", "cannot pull a 3D image back"),
        ("{result} {deep}/points.csv --points --out o.csv", "a 2D transform moves points of 2 coordinates"),
        ("{flat} {flat}/moving.nii.gz --out o.nii.gz", "is not a result of pullback"),
        ("nowhere {flat}/moving.nii.gz --out o.nii.gz", "no such file"),
        ("{flat}/moving.nii.gz {flat}/moving.nii.gz --onto {flat}/fixed.nii.gz --out o.nii.gz", "not a displacement"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    run, flat, deep, result, tmp_path, monkeypatch, unchecked, words, said
):
    monkeypatch.chdir(tmp_path)
    answer = run("apply", *words.format(flat=flat, deep=deep, result=result).split())
    assert answer.code == 2
    assert answer.err.startswith("pullback: error: ")
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []
