"""pullback group and pullback template, on files as a user has them."""

import json

import nibabel
import pytest

import pullback as pb
from pullback.io.images.nifti_series import write_frames

SPACE = pb.phantom.heart_space(2, (48, 48), (5.6, 5.6))


@pytest.fixture
def files(tmp_path):
    series = pb.phantom.mapping_series((200.0, 1000.0, 3000.0), space=SPACE)
    write_frames(series.images, tmp_path / "molli.nii.gz", 3)
    for seed in range(2):
        pb.write_image(pb.phantom.heart(space=SPACE, seed=seed).image, tmp_path / f"{seed}.nii.gz")
    return tmp_path


def test_group(run, files):
    out = files / "out"
    answer = run("group", files / "molli.nii.gz", "--out", out, "--cost", "pca2")
    assert answer.code == 0, answer.err
    assert "3 images: done" in answer.out
    assert nibabel.load(out / "warped.nii.gz").shape == (48, 48, 1, 3)
    assert nibabel.load(out / "displacement.nii.gz").shape[:4] == (48, 48, 1, 3)
    tree = json.loads((out / "group.json").read_text())
    assert tree["cost_after"] < tree["cost_before"]
    assert tree["cost"] == "PCA2"
    first = pb.read_transform(out / "image_000_transform.h5")
    image = pb.read_image(files / "molli.nii.gz", frame=0)
    warped = pb.apply(first, image, onto=image)
    middle = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert float((warped.data - pb.read_image(out / "warped.nii.gz", frame=0).data)[middle].abs().max()) < 0.02


def test_template(run, files):
    out = files / "out"
    words = ["template", files / "0.nii.gz", files / "1.nii.gz", "--out", out, "--recipe", "affine", "--iterations"]
    answer = run(*words, 1)
    assert answer.code == 0, answer.err
    assert "iteration 1: 2 images" in answer.out
    assert {p.name for p in out.iterdir()} == {"template.nii.gz", "template_0.nii.gz", "template_1.nii.gz",
                                               "template.json", "recipe.yaml", "unfinished.npz"}  # fmt: skip
    assert json.loads((out / "template.json").read_text())["iterations"][0]["used"] == 2
    again = run(*words, 2)
    assert "iteration 2" in again.out
    assert "iteration 1" not in again.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["group", "0.nii.gz", "--out", "bad"], "holds one frame"),
        (["group", "molli.nii.gz", "--out", "bad", "--cost", "entropy"], "no group cost 'entropy'"),
        (["template", "0.nii.gz", "--out", "bad"], "at least two images"),
        (["template", "0.nii.gz", "missing.nii.gz", "--out", "bad"], "there is no such file"),
        (["template", "0.nii.gz", "1.nii.gz", "--out", "0.nii.gz"], "choose another one"),
    ],
)
def test_bad_input(run, files, monkeypatch, words, message):
    monkeypatch.chdir(files)
    answer = run(*words)
    assert answer.code == 2
    assert message in answer.err
