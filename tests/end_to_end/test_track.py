"""pullback track, on files as a user has them."""

import csv
import json

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import pullback as pb
from pullback.io.images.nifti_series import write_frames


@pytest.fixture(scope="module")
def cine():
    return pb.phantom.beating_heart(4, space=pb.phantom.heart_space(2, (64, 64), (4.0, 4.0)))


@pytest.fixture
def files(cine, tmp_path):
    """cine.nii.gz and seg.nii.gz, a slice in space; frames/, the same in a plane."""
    matrix, plane = torch.diag(torch.tensor([1.0, 1.0, 8.0, 1.0], dtype=torch.float64)), cine.frames[0].space
    matrix[:2, 1:3], matrix[:2, 0], matrix[:2, 3] = plane.linear, 0.0, plane.matrix[:2, 2]
    matrix[2] = torch.tensor([8.0, 0.0, 0.0, 20.0])
    space = pb.Space((1, *plane.shape), matrix)
    write_frames([pb.Image(f.data[:, None], space) for f in cine.frames], tmp_path / "cine.nii.gz", 4, 0.2)
    pb.write_image(pb.Labels(cine.labels[0].data[None], space), tmp_path / "seg.nii.gz")
    (tmp_path / "frames").mkdir()
    for t, frame in enumerate(cine.frames):
        pb.write_image(frame, tmp_path / "frames" / f"f{t + 8}.nii.gz")  # 8, 9, 10, 11
    return tmp_path


def test_a_4d_file(run, files, cine):
    out = files / "out"
    answer = run("track", files / "cine.nii.gz", "--out", out, "--labels", files / "seg.nii.gz", "--transforms")
    assert answer.code == 0, answer.err
    assert "followed from frame 0: done" in answer.out
    assert "drift" in answer.out
    assert nibabel.load(out / "displacement.nii.gz").shape == (64, 64, 1, 4, 3)
    assert nibabel.load(out / "warped.nii.gz").shape == (64, 64, 1, 4)
    labels = np.asarray(nibabel.load(out / "labels.nii.gz").dataobj)
    assert (labels[..., 0] == 3).sum() > 1.5 * (labels[..., 1] == 3).sum() > 0  # the cavity empties
    with (out / "motion.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seconds"] for row in rows] == ["0.0000", "0.2000", "0.4000", "0.6000"]
    tree = json.loads((out / "tracking.json").read_text())
    assert tree["farthest_frame"] == 1
    assert tree["motion"]["mean_mm"][1] == pytest.approx(float(rows[1]["mean_mm"]), rel=1e-3)
    with Pillow.open(out / "tracking.gif") as movie:
        assert movie.n_frames == 4
    one = nibabel.load(out / "frame_001_displacement.nii.gz")
    assert np.array_equal(one.get_fdata()[..., 0, :], nibabel.load(out / "displacement.nii.gz").get_fdata()[..., 1, :])
    again = pb.io.read_displacement(out / "frame_001_displacement.nii.gz")
    assert again.space.same_as(pb.read_image(files / "seg.nii.gz").space)


def test_strain_of_the_wall(run, files):
    out = files / "out"
    asked = ("track", files / "cine.nii.gz", "--out", out, "--labels", files / "seg.nii.gz", "--no-movie")
    answer = run(*asked, "--wall", "2", "--right-ventricle", "1")
    assert answer.code == 0, answer.err
    with (out / "strain.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seconds"] for row in rows] == ["0.0000", "0.2000", "0.4000", "0.6000"]
    assert float(rows[0]["radial_percent"]) == 0
    assert float(rows[1]["radial_percent"]) > 10
    assert float(rows[1]["circumferential_percent"]) < -10
    assert float(rows[1]["circumferential_inferoseptal_percent"]) < 0
    wrong = run(*asked, "--wall", "7")
    assert wrong.code == 2
    assert "hold no 7" in wrong.err
    assert run(*asked[:4], "--wall", "2").code == 2  # without labels


def test_a_folder_of_frames_in_the_order_of_their_numbers(run, files, cine):
    answer = run("track", files / "frames", "--out", files / "out", "--no-movie", "--fixed-frame", 1, "-q")
    assert (answer.code, answer.out) == (0, "")
    assert sorted(p.name for p in (files / "out").iterdir()) == [
        "displacement.nii.gz", "motion.csv", "recipe.yaml", "tracking.json", "warped.nii.gz"]  # fmt: skip
    assert json.loads((files / "out" / "tracking.json").read_text())["farthest_frame"] == 0  # f8: end of diastole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frames/f8.nii.gz"], "holds one frame"),
        (["cine.nii.gz", "--fixed-frame", "7"], "no frame 7"),
        (["cine.nii.gz", "--recipe", "rigid"], "'rigid' has none"),
        (["cine.nii.gz", "--labels", "frames/f8.nii.gz"], "whole numbers"),
    ],
)
def test_what_cannot_be_tracked(run, files, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    answer = run("track", *arguments, "--out", "bad")
    assert answer.code == 2
    assert message in answer.err
    assert not (files / "bad").exists()


def test_an_input_is_not_overwritten(run, files):
    (files / "warped.nii.gz").write_bytes((files / "cine.nii.gz").read_bytes())
    answer = run("track", files / "warped.nii.gz", "--out", files)
    assert answer.code == 2
    assert "overwritten" in answer.err
