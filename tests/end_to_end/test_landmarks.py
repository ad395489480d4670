"""pullback landmarks, and what register makes of it."""

import pytest
import torch

import pullback as pb

FIXED = torch.tensor([[-150.0, -100.0], [-80.0, -100.0], [-80.0, -160.0], [-150.0, -160.0], [-110.0, -120.0]])


@pytest.fixture
def files(tmp_path):
    """Landmarks turned by 10 degrees, the last one 8 mm off, and the image that they lie in."""
    turn = pb.Affine.rigid(10.0, [4.0, -3.0], [-110.0, -130.0])
    moved = turn(FIXED)
    moved[-1] += torch.tensor([8.0, 0.0])
    pb.write_points(pb.Points(FIXED), tmp_path / "fixed.csv")
    pb.write_points(pb.Points(moved), tmp_path / "moving.csv")
    pair = pb.phantom.make("pair")
    pb.write_image(pair.fixed, tmp_path / "fixed.nii.gz")
    pb.write_image(pair.moving, tmp_path / "moving.nii.gz")
    return tmp_path, turn, moved


@pytest.mark.parametrize("kind", ["rigid", "affine", "tps", "bspline"])
def test_what_is_written_carries_the_landmarks(kind, run, files):
    folder, _, moved = files
    out = folder / "t.h5"
    answer = run("landmarks", folder / "fixed.csv", folder / "moving.csv", "--kind", kind, "--out", out, "--like",
                 folder / "fixed.nii.gz")  # fmt: skip
    assert answer.code == 0
    assert f"{kind} of 5 landmarks, left apart by" in answer.out
    left = float((pb.read_transform(out)(FIXED) - moved).norm(dim=1).max())
    assert left < (8.0 if kind in ("rigid", "affine") else 0.6)


def test_a_column_of_uncertainties_is_heeded(run, files):
    folder, turn, _ = files
    rows = [f"{x},{y},{9 if i == 4 else 0.1}" for i, (x, y) in enumerate(FIXED.tolist())]
    (folder / "sure.csv").write_text("\n".join(["x,y,sigma_mm", *rows]) + "\n")
    run("landmarks", folder / "sure.csv", folder / "moving.csv", "--out", folder / "sure.tfm")
    assert float((pb.read_transform(folder / "sure.tfm")(FIXED) - turn(FIXED)).norm(dim=1).max()) < 0.1
    run("landmarks", folder / "sure.csv", folder / "moving.csv", "--out", folder / "even.tfm", "--sigma", "1")
    assert float((pb.read_transform(folder / "even.tfm")(FIXED) - turn(FIXED)).norm(dim=1).max()) > 0.5
    (folder / "sure.csv").write_text("x,y,sigma_mm\n1,2,unsure\n")
    answer = run("landmarks", folder / "sure.csv", folder / "moving.csv", "--out", folder / "x.tfm")
    assert (answer.code, "sigma_mm has a value that is no number" in answer.err) == (2, True)


def test_register_starts_from_it(run, files):
    folder, _, _ = files
    run("landmarks", folder / "fixed.csv", folder / "moving.csv", "--kind", "tps", "--sigma", "2", "--out",
        folder / "t.h5", "--like", folder / "fixed.nii.gz")  # fmt: skip
    (folder / "quick.yaml").write_text("name: q\ndescription: d\nstages: [{kind: AlignCentres, starts: [header]}]\n")
    answer = run("register", folder / "fixed.nii.gz", folder / "moving.nii.gz", "--initial", folder / "t.h5", "--out",
                 folder / "result", "--recipe", folder / "quick.yaml")  # fmt: skip
    found, given = (pb.read_transform(path) for path in (folder / "result" / "transform.h5", folder / "t.h5"))
    assert answer.code in (0, 3)
    assert float((found(FIXED) - given(FIXED)).norm(dim=1).max()) < 1e-3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--kind", "tps"), "add --like IMAGE"),
        (("--kind", "elastic"), "invalid choice: 'elastic'"),
        (("--sigma", "-1"), "must be a length in mm"),
    ],
)
def test_mistakes_are_told(words, said, run, files):
    folder, _, _ = files
    answer = run("landmarks", folder / "fixed.csv", folder / "moving.csv", "--out", folder / "t.h5", *words)
    assert answer.code == 2
    assert said in answer.err
    assert not (folder / "t.h5").exists()
