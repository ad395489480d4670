"""pullback register: what it writes, what it says, and that it does so again."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch

import pullback as pb

FILES = {"warped.nii.gz", "transform.h5", "recipe.yaml", "result.json"}
CARRIED = {"seg_warped.nii.gz", "points_moved.csv", "displacement.nii.gz"}


@pytest.fixture(params=["result", "deep_result"])
def some_result(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def inputs(some_result, request):
    return request.getfixturevalue("flat" if some_result == request.getfixturevalue("result") else "deep")


def test_the_folder_holds_what_was_asked_for_and_nothing_hidden(some_result):
    assert {path.name for path in some_result.iterdir()} == FILES | CARRIED


def test_the_result_says_how_it_went(some_result, inputs):
    said = json.loads((some_result / "result.json").read_text())
    assert said["ok"] is True
    assert said["status"] in ("converged", "max_steps")
    assert said["provenance"]["fixed"] == str(inputs / "fixed.nii.gz")
    assert [stage["stage"] for stage in said["stages"]] == ["align centres", "rigid", "deformable"]
    assert all(stage["kernels"] for stage in said["stages"])
    assert len(said["fixed"]["sha256"]) == 64


def test_it_aligns(some_result, inputs):
    fixed, moving = (pb.read_labels(inputs / f"{name}.nii.gz") for name in ("fixed_seg", "seg"))
    before = pb.evaluate.mean_dice(fixed, moving)
    after = pb.evaluate.mean_dice(fixed, pb.read_labels(some_result / "seg_warped.nii.gz"))
    assert after > before + 0.05


def test_everything_on_the_fixed_grid_has_its_header(some_result, inputs):
    fixed = nibabel.load(inputs / "fixed.nii.gz")
    for name in ("warped.nii.gz", "seg_warped.nii.gz"):
        written = nibabel.load(some_result / name)
        assert written.shape == fixed.shape
        assert np.allclose(written.affine, fixed.affine)
    assert np.issubdtype(nibabel.load(some_result / "seg_warped.nii.gz").get_data_dtype(), np.integer)


def test_simpleitk_opens_the_transform_and_makes_the_same_image(some_result, inputs):
    fixed, moving = (SimpleITK.ReadImage(str(inputs / f"{name}.nii.gz")) for name in ("fixed", "moving"))
    transform = SimpleITK.ReadTransform(str(some_result / "transform.h5"))
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.Resample(moving, fixed, transform, SimpleITK.sitkLinear, 0.0))
    ours = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(some_result / "warped.nii.gz")))
    assert np.abs(theirs - ours).mean() < 1e-3 * np.ptp(theirs)


def test_simpleitk_opens_the_displacement_and_makes_the_same_image(some_result, inputs):
    fixed, moving = (SimpleITK.ReadImage(str(inputs / f"{name}.nii.gz")) for name in ("fixed", "moving"))
    vectors = SimpleITK.ReadImage(str(some_result / "displacement.nii.gz"), SimpleITK.sitkVectorFloat64)
    transform = SimpleITK.DisplacementFieldTransform(vectors)
    theirs = SimpleITK.GetArrayFromImage(SimpleITK.Resample(moving, fixed, transform, SimpleITK.sitkLinear, 0.0))
    ours = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(some_result / "warped.nii.gz")))
    assert np.abs(theirs - ours).mean() < 1e-3 * np.ptp(theirs)


def test_points_are_where_the_displacement_takes_them(some_result, inputs):
    fixed = pb.read_points(inputs / "points.csv").world
    moved = pb.read_points(some_result / "points_moved.csv").world
    transform = pb.read_transform(some_result / "displacement.nii.gz")
    assert torch.allclose(transform(fixed), moved, atol=0.05)
    assert float((moved - fixed).norm(dim=1).min()) > 0.1


def test_the_same_input_gives_the_same_files(run, flat, quick, tmp_path):
    for name in ("first", "second"):
        answer = run(
            "register", flat / "fixed.nii.gz", flat / "moving.nii.gz", "--out", tmp_path / name, "--recipe", quick
        )
        assert answer.code == 0
    for name in ("warped.nii.gz", "transform.h5", "recipe.yaml"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_one_thread_and_two_agree(run, deep, quick, tmp_path):
    transforms = []
    for threads in (1, 2):
        out = tmp_path / str(threads)
        words = ("--out", out, "--recipe", quick, "--threads", threads)
        assert run("register", deep / "fixed.nii.gz", deep / "moving.nii.gz", *words).code == 0
        assert json.loads((out / "result.json").read_text())["provenance"]["threads"] == threads
        transforms.append(pb.read_transform(out / "transform.h5"))
    points = pb.read_image(deep / "fixed.nii.gz").space.grid().reshape(-1, 3)
    assert float((transforms[0](points) - transforms[1](points)).norm(dim=1).max()) < 0.01


def test_the_recipe_that_it_wrote_does_the_same_again(run, flat, result, tmp_path):
    words = ("--out", tmp_path / "again", "--recipe", result / "recipe.yaml")
    assert run("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", *words).code == 0
    assert (tmp_path / "again" / "warped.nii.gz").read_bytes() == (result / "warped.nii.gz").read_bytes()


def test_the_summary_names_the_figures_and_the_files(run, flat, quick, tmp_path):
    answer = run("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", "--out", tmp_path / "r", "--recipe", quick)
    assert answer.err == ""
    for word in (
        "quick: done.",
        "overlap",
        "Jacobian",
        "folding",
        "displacement",
        "seconds",
        "warped.nii.gz",
        "transform.h5",
    ):
        assert word in answer.out
    assert f"written to {tmp_path / 'r'}" in answer.out


def test_quiet_says_nothing_and_verbose_says_every_level(run, flat, quick, tmp_path):
    words = ("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", "--recipe", quick, "--out")
    quiet = run(*words, tmp_path / "quiet", "-q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    verbose = run(*words, tmp_path / "verbose", "-v")
    levels = [line for line in verbose.err.splitlines() if "loss" in line]
    expected = [f"{stage}, level {level} of 2" for stage in ("rigid", "deformable") for level in (1, 2)]
    assert [line.split(":")[0] for line in levels] == expected


def test_masks_an_initial_transform_and_several_labels_are_taken(run, flat, quick, tmp_path):
    pb.write_transform(pb.Affine.translation([2.0, -1.0]), tmp_path / "start.tfm")
    (tmp_path / "other.seg.nii.gz").write_bytes((flat / "seg.nii.gz").read_bytes())
    words = ["--recipe", quick, "--out", tmp_path / "r", "--initial", tmp_path / "start.tfm"]
    words += ["--fixed-mask", flat / "mask.nii.gz", "--moving-mask", flat / "moving.nii.gz"]
    words += ["--labels", flat / "seg.nii.gz", "--labels", tmp_path / "other.seg.nii.gz"]
    assert run("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", *words).code == 0
    assert {"seg_warped.nii.gz", "other_warped.nii.gz"} < {path.name for path in (tmp_path / "r").iterdir()}
    made = json.loads((tmp_path / "r" / "result.json").read_text())["provenance"]
    assert (made["initial"], made["fixed_mask"]) == (str(tmp_path / "start.tfm"), str(flat / "mask.nii.gz"))


def test_frames_of_a_cine_are_chosen_and_remembered(run, flat, quick, tmp_path):
    images = [nibabel.load(flat / f"{name}.nii.gz") for name in ("fixed", "moving")]
    cine = np.stack([image.get_fdata().reshape(40, 44, 1) for image in images], axis=-1).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(cine, images[0].affine), tmp_path / "cine.nii.gz")
    words = ("register", tmp_path / "cine.nii.gz", tmp_path / "cine.nii.gz", "--recipe", quick, "--out", tmp_path / "r")
    refused = run(*words)
    assert refused.code == 2
    assert "frame" in refused.err
    assert run(*words, "--fixed-frame", 0, "--moving-frame", 1).code == 0
    again = pb.load(tmp_path / "r")
    assert np.allclose(again.moving.numpy().squeeze(), images[1].get_fdata().squeeze().T)
    seg = nibabel.load(flat / "seg.nii.gz")
    series = np.stack([np.zeros((40, 44, 1)), seg.get_fdata().reshape(40, 44, 1)], axis=-1).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(series, seg.affine), tmp_path / "segs.nii.gz")
    assert run(*words, "--frame", 1, "--labels", tmp_path / "segs.nii.gz").code == 0
    assert pb.read_labels(tmp_path / "r" / "segs_warped.nii.gz").values == (1, 2, 3)
    centre = again.fixed.space.centre
    assert float((pb.load(tmp_path / "r").transform(centre) - centre).norm()) < 0.05


def test_a_registration_that_fails_writes_its_outputs_says_so_and_exits_with_3(run, flat, quick, tmp_path):
    image = pb.read_image(flat / "moving.nii.gz")
    far = torch.eye(3, dtype=torch.float64)
    far[0, 2] = 5000.0
    pb.write_image(pb.Image(image.data, pb.Space(image.space.shape, far @ image.space.matrix)), tmp_path / "far.nii.gz")
    text = quick.read_text()
    cut = text.index("  - kind: AlignCentres"), text.index("  - kind: Optimise")
    (tmp_path / "blind.yaml").write_text(text[: cut[0]] + text[cut[1] :])
    words = ("--out", tmp_path / "r", "--recipe", tmp_path / "blind.yaml", "--report", "--labels", flat / "seg.nii.gz")
    answer = run("register", flat / "fixed.nii.gz", tmp_path / "far.nii.gz", *words)
    assert answer.code == 3
    assert answer.err.splitlines() == [f"pullback: failed: {pb.load(tmp_path / 'r').message}"]
    assert "hardly overlap" in answer.err
    said = json.loads((tmp_path / "r" / "result.json").read_text())
    assert (said["ok"], said["status"]) == (False, "no_overlap")
    assert {path.name for path in (tmp_path / "r").iterdir()} == FILES | {"report.html", "seg_warped.nii.gz"}
    applied = run("apply", tmp_path / "r", flat / "seg.nii.gz", "--labels", "--out", tmp_path / "seg.nii.gz")
    assert applied.code == 0
    assert "note: " in applied.err
    assert "did not succeed" in applied.err
