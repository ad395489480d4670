"""Input that cannot be used: one line on stderr, exit code 2, and nothing left behind."""

import gzip
import struct
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

import pullback as pb

VERY_LARGE = 20_000


@pytest.fixture(scope="module")
def bad(flat, deep, tmp_path_factory) -> Path:
    """A folder of files that cannot be used, each in its own way."""
    folder = tmp_path_factory.mktemp("bad")
    image = pb.read_image(flat / "fixed.nii.gz")
    broken = {"nan": float("nan"), "inf": float("inf")}
    for name, value in broken.items():
        data = image.data.clone()
        data[0, 5, 6] = value
        pb.write_image(pb.Image(data, image.space), folder / f"{name}.nii.gz")
    pb.write_image(pb.Image(torch.full_like(image.data, 7.0), image.space), folder / "constant.nii.gz")
    pb.write_image(pb.Image(torch.zeros_like(image.data), image.space), folder / "empty_mask.nii.gz")
    pb.write_image(pb.Image.of(np.eye(3)), folder / "tiny.nii.gz")
    pb.write_image(pb.Image.of(np.ones((10, 10))), folder / "other_grid.nii.gz")
    pb.write_image(pb.Image(image.data.repeat(3, 1, 1), image.space), folder / "rgb.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.random.default_rng(0).random((9, 9, 9, 4)), np.eye(4)), folder / "cine.nii.gz")
    (folder / "empty.nii.gz").write_bytes(b"")
    (folder / "text.nii.gz").write_text("this is not an image")
    whole = (deep / "fixed.nii.gz").read_bytes()
    (folder / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "huge.nii.gz").write_bytes(gzip.compress(_header(VERY_LARGE)))
    (folder / "folder.nii.gz").mkdir()
    (folder / "points_without_header.csv").write_text("1,2\n3,4\n")
    (folder / "points_nan.csv").write_text("x,y\n1,nan\n")
    (folder / "points_3d.csv").write_text("x,y,z\n1,2,3\n")
    (folder / "recipe.yaml").write_text("name: x\ndescription: y\nstages: [{kind: Magic}]\n")
    (folder / "recipe.txt").write_text("!!python/object/apply:os.system [true]")
    (folder / "transform.tfm").write_text("#Insight Transform File V1.0\n")
    pb.write_transform(pb.Affine.identity(3), folder / "affine_3d.tfm")
    for where in ("a", "b"):
        (folder / where).mkdir()
        (folder / where / "seg.nii.gz").write_bytes((flat / "seg.nii.gz").read_bytes())
        (folder / where / "points.csv").write_bytes((flat / "points.csv").read_bytes())
    (folder / "a_file").write_text("mine")
    return folder


def _header(n: int) -> bytes:
    """A NIfTI-1 header and nothing more, which promises n^3 numbers."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, n, n, n, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 16, 32)
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    header[344:348] = b"n+1\0"
    return bytes(header)


GOOD = "{flat}/fixed.nii.gz {flat}/moving.nii.gz --out out"

CASES = {
    "{flat}/fixed.nii.gz nowhere.nii.gz --out out": "cannot read nowhere.nii.gz: there is no such file",
    "nowhere.nii.gz {flat}/moving.nii.gz --out out": "cannot read nowhere.nii.gz: there is no such file",
    "{bad}/folder.nii.gz {flat}/moving.nii.gz --out out": "folder",
    "{bad}/a_file {flat}/moving.nii.gz --out out": "no image format that pullback knows",
    "{bad}/empty.nii.gz {flat}/moving.nii.gz --out out": "the file is empty",
    "{bad}/text.nii.gz {flat}/moving.nii.gz --out out": "cannot read",
    "{bad}/cut.nii.gz {deep}/moving.nii.gz --out out": "cannot read",
    "{bad}/huge.nii.gz {flat}/moving.nii.gz --out out": "32 TB",
    "{flat}/fixed.nii.gz {deep}/moving.nii.gz --out out": "fixed is 2D but moving is 3D",
    "{bad}/nan.nii.gz {flat}/moving.nii.gz --out out": "the fixed image has 1 voxels that are NaN or infinite",
    "{flat}/fixed.nii.gz {bad}/inf.nii.gz --out out": "the moving image has 1 voxels that are NaN or infinite",
    "{flat}/fixed.nii.gz {bad}/constant.nii.gz --out out": "the moving image is constant (every voxel is 7)",
    "{bad}/tiny.nii.gz {bad}/tiny.nii.gz --out out": "the fixed image is too small to register",
    "{flat}/fixed.nii.gz {bad}/rgb.nii.gz --out out": "1 channel(s) but moving has 3",
    "{bad}/cine.nii.gz {bad}/cine.nii.gz --out out": "it holds 4 frames",
    "{bad}/cine.nii.gz {bad}/cine.nii.gz --out out --frame 4": "frame 4 does not exist",
    "{bad}/cine.nii.gz {bad}/cine.nii.gz --out out --frame -1": "must be a whole number, not negative; got '-1'",
    GOOD + " --fixed-mask {bad}/empty_mask.nii.gz": "the fixed mask is empty",
    GOOD + " --fixed-mask {bad}/other_grid.nii.gz": "the fixed mask lies on",
    GOOD + " --moving-mask {bad}/nan.nii.gz": "the moving mask holds NaN",
    GOOD + " --moving-mask nowhere.nii.gz": "cannot read nowhere.nii.gz",
    GOOD + " --labels nowhere.nii.gz": "cannot read nowhere.nii.gz",
    GOOD + " --labels {flat}/moving.nii.gz": "whole numbers",
    GOOD + " --labels {deep}/seg.nii.gz": "is 3D but the images are 2D",
    GOOD + " --labels {bad}/a/seg.nii.gz --labels {bad}/b/seg.nii.gz": "would both be written to seg_warped.nii.gz",
    GOOD + " --points {bad}/a/points.csv --points {bad}/b/points.csv": "would both be written to points_moved.csv",
    GOOD + " --points nowhere.csv": "cannot read nowhere.csv",
    GOOD + " --points {bad}/points_without_header.csv": "its first line must name the columns",
    GOOD + " --points {bad}/points_nan.csv": "not finite numbers",
    GOOD + " --points {bad}/points_3d.csv": "is 3D but the images are 2D",
    GOOD + " --points {flat}/seg.nii.gz": "no point format that pullback knows",
    GOOD + " --initial nowhere.h5": "cannot read nowhere.h5",
    GOOD + " --initial {bad}/transform.tfm": "cannot read",
    GOOD + " --initial {bad}/affine_3d.tfm": "the images are 2D but the initial transform is 3D",
    GOOD + " --recipe elastic": "there is no recipe 'elastic'; choose one of deformable, fast",
    GOOD + " --recipe nowhere.yaml": "nowhere.yaml: there is no such file",
    GOOD + " --recipe {bad}/recipe.yaml": "kind must be one of AlignCentres, ",
    GOOD + " --recipe {bad}/recipe.txt": "it is not valid YAML",
    GOOD + " --device tpu": "there is no device 'tpu'",
    GOOD + " --threads 0": "the number of threads must be at least 1",
    GOOD + " --threads two": "must be a whole number",
    GOOD + " --seed 1.5": "must be a whole number",
    GOOD + " --fast": "unrecognized arguments: --fast",
    GOOD + " --recip rigid": "unrecognized arguments",
    GOOD + " --labels": "expected one argument",
    "{flat}/fixed.nii.gz {flat}/moving.nii.gz": "the following arguments are required: --out",
    "{flat}/fixed.nii.gz --out out": "the following arguments are required: MOVING",
    "{flat}/fixed.nii.gz {flat}/moving.nii.gz --out {bad}/a_file": "is a file; give the name of a folder",
    "{flat}/fixed.nii.gz {flat}/moving.nii.gz --out {bad}/a_file/out": "cannot write the folder",
    "{flat}/fixed.nii.gz {flat}/moving.nii.gz --out a/b/out --recipe elastic": "there is no recipe",
    "{flat}/fixed.nii.gz {bad}/constant.nii.gz --out a/b/out": "constant",
}


def refused(answer) -> str:
    """The one line that it said."""
    assert answer.code == 2, answer
    assert answer.err.startswith("pullback: error: ")
    assert answer.err.count("\n") == 1
    assert answer.out == ""
    return answer.err


@pytest.mark.parametrize("case", CASES)
def test_register_refuses_it_in_one_line_and_leaves_nothing(
    run, flat, deep, bad, tmp_path, monkeypatch, unchecked, case
):
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in bad.rglob("*")}
    assert CASES[case] in refused(run("register", *case.format(flat=flat, deep=deep, bad=bad).split()))
    assert list(tmp_path.iterdir()) == []
    assert {path: path.stat().st_mtime_ns for path in bad.rglob("*")} == before


def test_an_earlier_result_is_left_as_it_was(run, flat, bad, quick, tmp_path):
    words = ("--out", tmp_path / "r", "--recipe", quick)
    assert run("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", *words).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    refused(run("register", flat / "fixed.nii.gz", bad / "constant.nii.gz", *words))
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == before


def test_a_result_may_not_overwrite_its_own_input(run, flat, quick, tmp_path):
    (tmp_path / "warped.nii.gz").write_bytes((flat / "moving.nii.gz").read_bytes())
    words = ("--out", tmp_path, "--recipe", quick)
    said = refused(run("register", flat / "fixed.nii.gz", tmp_path / "warped.nii.gz", *words))
    assert "would be overwritten" in said
    assert (tmp_path / "warped.nii.gz").read_bytes() == (flat / "moving.nii.gz").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("regster a b", "there is no command 'regster'; did you mean 'register'?"),
        ("xyz", "there is no command 'xyz'; choose one of register, apply"),
        ("--verson", "unrecognized arguments: --verson"),
        ("recipe show", "show which recipe?"),
        ("recipe show elastic", "there is no recipe 'elastic'"),
        ("recipe list rigid", "do you mean: pullback recipe show rigid"),
        ("recipe print rigid", "invalid choice: 'print'"),
        ("recipe show rigid --out nowhere/r.yaml", "the folder"),
        ("info nowhere.nii.gz", "cannot read nowhere.nii.gz: there is no such file"),
        ("info {bad}/text.nii.gz", "cannot read"),
        ("info {bad}/a", "cannot read"),
        ("info", "nothing was given; usage: pullback info"),
        ("register", "nothing was given; usage: pullback register FIXED MOVING --out DIR [options]"),
        ("phantom unicorn --out x.nii.gz", "there is no phantom 'unicorn'; choose one of sax, heart"),
        ("phantom sax", "where shall it go?"),
        ("phantom sax --out x.nii.gz --phase 0.3", "the phantom 'sax' has no option phase"),
        ("phantom heart --out x.nii.gz --shape 8 8 8", "a 2D heart needs 2 numbers"),
        ("phantom pair --out x --labels seg.nii.gz --shape 24 24 --spacing 9 9", "--labels is for a single image"),
        ("report {bad}/a", "is not a result of pullback"),
        ("report nowhere", "is not a result of pullback"),
        ("report {result} --fixed {flat}/moving.nii.gz --out x.html", "is not the fixed image that was registered"),
        ("demo --out {bad}/a_file", "is a file; give the name of a folder"),
        ("doctor now", "unrecognized arguments: now"),
    ],
)
def test_the_other_commands_refuse_in_one_line_and_leave_nothing(
    run, flat, bad, result, tmp_path, monkeypatch, unchecked, words, said
):
    monkeypatch.chdir(tmp_path)
    assert said in refused(run(*words.format(flat=flat, bad=bad, result=result).split()))
    assert list(tmp_path.iterdir()) == []
