"""A result folder: all of it or nothing, and the same again when it is read."""

import errno
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pullback as pb
from pullback.errors import FileFormatError, InputError
from pullback.optimise import Status
from pullback.registration import Registration, saved
from pullback.registration.folder import together

FILES = {"warped.nii.gz", "transform.h5", "recipe.yaml", "result.json"}
IMAGES = ("fixed", "moving")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """fixed.nii.gz and moving.nii.gz, and in result/ a short registration of them."""
    folder = tmp_path_factory.mktemp("saved")
    pair = pb.phantom.make("pair", shape=(40, 44), spacing=(6, 6))
    for name in IMAGES:
        pb.write_image(getattr(pair, name), folder / f"{name}.nii.gz")
    pb.register(folder / "fixed.nii.gz", folder / "moving.nii.gz", quick()).save(folder / "result")
    return folder


def quick() -> pb.Recipe:
    """A few steps of everything."""
    recipe = pb.recipes.named("deformable")
    stages = [recipe.stages[0]]
    for stage in recipe.stages[1:-1]:
        levels = tuple(replace(level, steps=3) for level in stage.schedule.levels)
        stages.append(replace(stage, schedule=replace(stage.schedule, levels=levels)))
    return replace(recipe, name="quick", stages=tuple(stages))


@pytest.fixture
def result(folder) -> Registration:
    return pb.load(folder / "result")


def edited(folder: Path, tmp_path: Path, **changes: object) -> Path:
    """A copy of the result whose result.json holds other values."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (folder / "result").iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    tree = json.loads((copy / "result.json").read_text())
    (copy / "result.json").write_text(json.dumps(tree | changes))
    return copy


def test_what_is_saved_is_loaded_again(folder):
    made = pb.register(folder / "fixed.nii.gz", folder / "moving.nii.gz", quick())
    made.save(folder / "again")
    read = pb.load(folder / "again")
    points = made.fixed.space.grid().reshape(-1, 2)
    assert torch.allclose(read.transform(points), made.transform(points), atol=1e-4)
    assert torch.allclose(read.warped.data, made.warped.data, atol=1e-5)
    assert read.recipe == made.recipe
    assert (read.status, read.quality, read.provenance) == (made.status, made.quality, made.provenance)
    assert [o.stage for o in read.outcomes] == [o.stage for o in made.outcomes]
    for was, now in zip(made.outcomes, read.outcomes, strict=True):
        assert (now.status, now.kernels, now.notes) == (was.status, was.kernels, was.notes)
        assert [level.spacing_mm for level in now.history] == [level.spacing_mm for level in was.history]
        for here, there in zip(was.history, now.history, strict=True):
            assert np.allclose(here.losses, there.losses, rtol=1e-6)


def test_the_folder_holds_four_files_and_nothing_hidden(folder):
    assert {path.name for path in (folder / "result").iterdir()} == FILES


def test_the_inverse_of_a_loaded_transform_leads_back(result):
    points = result.fixed.space.to_world(torch.tensor([[12.0, 13.0], [20.0, 25.0], [30.0, 31.0]], dtype=torch.float64))
    back = result.transform.inverse()(result.transform(points))
    assert float((back - points).norm(dim=1).max()) < 1e-2


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_that_has_changed_since_is_noticed(folder, tmp_path, name):
    for other in IMAGES:
        pb.write_image(pb.read_image(folder / f"{other}.nii.gz"), tmp_path / f"{other}.nii.gz")
    pb.register(tmp_path / "fixed.nii.gz", tmp_path / "moving.nii.gz", quick()).save(tmp_path / "result")
    image = pb.read_image(tmp_path / f"{name}.nii.gz")
    image.data[0, 3, 4] += 1e-3
    pb.write_image(image, tmp_path / f"{name}.nii.gz")
    with pytest.raises(FileFormatError, match=f"is not the {name} image that was registered"):
        pb.load(tmp_path / "result")
    (tmp_path / f"{name}.nii.gz").unlink()
    with pytest.raises(FileFormatError, match="no such file"):
        pb.load(tmp_path / "result")


def test_images_given_in_memory_must_be_given_again(tmp_path, folder):
    fixed, moving = (pb.read_image(folder / f"{name}.nii.gz") for name in IMAGES)
    pb.register(fixed, moving, quick()).save(tmp_path / "result")
    with pytest.raises(FileFormatError, match="given in memory"):
        pb.load(tmp_path / "result")
    again = pb.load(tmp_path / "result", fixed, moving)
    assert again.fixed is fixed
    with pytest.raises(FileFormatError, match="the image given is not the fixed image"):
        pb.load(tmp_path / "result", moving, moving)


def test_a_loss_that_is_no_number_is_written_as_valid_json(result, tmp_path):
    quality = replace(result.quality, loss_after=math.nan, jacobian_max=math.inf)
    failed = replace(result, quality=quality, status=Status.nonfinite)
    failed.save(tmp_path / "failed")
    text = (tmp_path / "failed" / "result.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    read = pb.load(tmp_path / "failed")
    assert not read.ok
    assert math.isnan(read.quality.loss_after)
    assert json.loads(text)["ok"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "splendid"},
        {"quality": {"overlap": 1.0}},
        {"quality": [1, 2]},
        {"stages": 3},
        {"stages": [{}]},
        {"fixed": {}},
        {"fixed": None},
        {"moving": {"sha256": "", "shape": [0], "voxel_to_world_ras": [[1]]}},
        {"provenance": None},
    ],
)
def test_a_damaged_result_is_refused_with_a_sentence(folder, tmp_path, changes):
    with pytest.raises(FileFormatError):
        pb.load(edited(folder, tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"status": "converged"}', "[" * 100_000, "\x00"])
def test_a_broken_result_json_is_refused_with_a_sentence(folder, tmp_path, text):
    copy = edited(folder, tmp_path)
    (copy / "result.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"result\.json"):
        pb.load(copy)


@pytest.mark.parametrize("name", sorted(FILES - {"warped.nii.gz"}))
def test_a_missing_file_is_refused_with_a_sentence(folder, tmp_path, name):
    copy = edited(folder, tmp_path)
    (copy / name).unlink()
    with pytest.raises(InputError, match=name):
        pb.load(copy)


def test_the_grids_of_both_images_can_be_had_without_the_images(folder, result):
    tree = saved.read_summary(folder / "result")
    assert saved.space_of(tree, "fixed").same_as(result.fixed.space)
    assert saved.space_of(tree, "moving").same_as(result.moving.space)


# ---- all or nothing ----


def test_a_file_in_the_place_of_the_folder_is_left_alone(result, tmp_path):
    (tmp_path / "result").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        result.save(tmp_path / "result")
    assert (tmp_path / "result").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused(result, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot write"):
        result.save(tmp_path / "result")
    tmp_path.chmod(0o700)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_refusal_of_the_system_is_a_sentence_and_leaves_nothing(result, tmp_path, monkeypatch, code):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match=os.strerror(code)):
        result.save(tmp_path / "a" / "b" / "result")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("blow", [KeyboardInterrupt, MemoryError, OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("which", range(4))
def test_whatever_stops_the_writing_of_a_new_folder_leaves_nothing(result, tmp_path, monkeypatch, blow, which):
    stop_at(monkeypatch, which, blow)
    with pytest.raises((KeyboardInterrupt, MemoryError, InputError)):
        result.save(tmp_path / "a" / "b" / "result")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", range(4))
def test_whatever_stops_the_writing_leaves_an_earlier_result_as_it_was(folder, result, tmp_path, monkeypatch, which):
    earlier = edited(folder, tmp_path)
    before = {path.name: path.read_bytes() for path in earlier.iterdir()}
    stop_at(monkeypatch, which, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        result.save(earlier)
    assert {path.name: path.read_bytes() for path in earlier.iterdir()} == before


@pytest.mark.parametrize("which", range(4, 8))
def test_stopped_while_the_files_are_put_in_place_the_folder_is_no_result(folder, result, tmp_path, monkeypatch, which):
    earlier = edited(folder, tmp_path)
    stop_at(monkeypatch, which, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        result.save(earlier)
    with pytest.raises(FileFormatError, match=r"no result\.json"):
        pb.load(earlier)
    assert {path.name for path in earlier.iterdir()} == FILES - {"result.json"}


def stop_at(monkeypatch: pytest.MonkeyPatch, which: int, blow: BaseException | type[BaseException]) -> None:
    """Raise instead of renaming the file of that number: 0 to 3 when written, 4 to 7 when put in place."""
    replace_file, count = Path.replace, iter(range(100))

    def stopped(self: Path, target: Path) -> Path:
        if next(count) == which:
            raise blow
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", stopped)


def test_a_second_result_replaces_the_first_and_takes_its_report_away(result, tmp_path):
    result.save(tmp_path / "result")
    for name in ("report.html", "displacement.nii.gz", "notes.txt"):
        (tmp_path / "result" / name).write_text("old")
    result.save(tmp_path / "result")
    assert {path.name for path in (tmp_path / "result").iterdir()} == FILES | {"notes.txt"}


def test_folders_on_the_way_are_made_and_kept_when_all_is_well(tmp_path):
    with together(tmp_path / "a" / "b") as inside:
        (inside / "file").write_text("x")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_what_somebody_else_put_there_in_the_meantime_is_kept(tmp_path):
    def interrupted() -> None:
        with together(tmp_path / "a" / "b"):
            (tmp_path / "a" / "other").write_text("theirs")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["other"]


def test_a_result_of_before_a_figure_was_known_is_read(folder, tmp_path):
    quality = json.loads((folder / "result" / "result.json").read_text())["quality"]
    del quality["shared_information"]
    loaded = pb.load(edited(folder, tmp_path, quality=quality))
    assert math.isnan(loaded.quality.shared_information)
    assert "Little in common" not in [remark.title for remark in loaded.remarks]
