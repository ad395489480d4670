"""The real program, in a process of its own: starting, stopping, and faults of ours."""

import errno
import json
import os
import pty
import re
import signal
import time
import warnings
from functools import partial
from pathlib import Path

import pytest

import pullback as pb
from pullback import io
from pullback.cli.main import COMMANDS
from pullback.errors import PullbackWarning
from pullback.registration import recipe_file, saved


def test_help_teaches(program):
    started = program("--help")
    said, complained = started.communicate(timeout=60)
    assert (started.returncode, complained) == (0, "")
    for command in COMMANDS:
        assert f"\n  {command} " in said
    assert "a transform maps fixed points to moving points" in said


def test_without_a_command_it_gives_help_and_with_version_its_version(run):
    assert run().code == 0
    assert run().out == run("--help").out
    assert run("--version").out == "pullback 0.1.0\n"


def test_a_whole_registration_and_its_exit_code(program, flat, quick, result, tmp_path):
    words = ("--out", tmp_path / "r", "--recipe", quick, "--threads", 1, "--labels", flat / "seg.nii.gz")
    started = program("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", *words)
    said, complained = started.communicate(timeout=120)
    assert (started.returncode, complained) == (0, "")
    assert "quick: done." in said
    assert (tmp_path / "r" / "warped.nii.gz").read_bytes() == (result / "warped.nii.gz").read_bytes()


def test_bad_input_from_the_real_program(program, tmp_path):
    started = program("register", "nowhere.nii.gz", "nowhere.nii.gz", "--out", tmp_path / "r", cwd=tmp_path)
    said, complained = started.communicate(timeout=60)
    assert (started.returncode, said) == (2, "")
    assert complained == "pullback: error: cannot read nowhere.nii.gz: there is no such file\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_in_the_middle_it_leaves_nothing(program, flat, quick, tmp_path, monkeypatch, number, code):
    monkeypatch.setenv("PULLBACK_KERNELS", "reference")  # slow enough to be caught at work
    fixed, moving = enlarged(flat, tmp_path, 30)
    words = ("--out", tmp_path / "a" / "r", "--recipe", quick, "--threads", 1)
    heeded = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs are born deaf to it
    started = program("register", fixed, moving, *words, start_new_session=True, preexec_fn=heeded)
    try:
        for _ in range(600):
            if (tmp_path / "a").exists():
                break
            time.sleep(0.05)
        time.sleep(0.3)
        assert [path.name.startswith(".writing") for path in (tmp_path / "a").iterdir()] == [True]
        started.send_signal(number)
        _, complained = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == code
    assert complained.count("\n") == (1 if number == signal.SIGINT else 0)
    assert "Traceback" not in complained
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fixed.nii.gz", "moving.nii.gz"]


def enlarged(folder: Path, into: Path, times: int) -> list[Path]:
    """The fixed and the moving image with more voxels, so that registering takes a while."""
    for name in ("fixed", "moving"):
        image = pb.read_image(folder / f"{name}.nii.gz")
        space = image.space.resized([n * times for n in image.space.shape])
        pb.write_image(pb.apply(pb.Affine.identity(2), image, onto=space), into / f"{name}.nii.gz")
    return [into / "fixed.nii.gz", into / "moving.nii.gz"]


def test_a_reader_that_has_seen_enough_is_no_fault(program):
    with program("recipe", "show", "deformable") as started:
        started.stdout.close()
        assert started.stderr.read() == ""
        assert started.wait(timeout=60) == 141


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_on_a_terminal_a_bar_shows_stage_level_loss_and_the_time_left(program, flat, quick, tmp_path):
    fixed, moving = enlarged(flat, tmp_path, 8)
    ours, theirs = pty.openpty()
    words = ("--out", tmp_path / "r", "--recipe", quick, "--threads", 1)
    with program("register", fixed, moving, *words, stderr=theirs) as started:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
        said = started.stdout.read()
    os.close(ours)
    assert started.returncode == 0
    assert re.search(r"(rigid|deformable), level \d of 2: loss 0\.\d+", shown)
    assert re.search(r"\d:\d\d:\d\d", shown)
    assert "quick: done." in said


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


# ---- what goes wrong while it works ----


def test_ctrl_c_while_it_writes_leaves_nothing(run, flat, quick, tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(io, "write_transform", interrupted)
    answer = run("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", "--out", tmp_path / "r", "--recipe", quick)
    assert answer.code == 130
    assert answer.err.splitlines() == ["pullback: stopped; nothing half-written was left behind"]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(run, flat, quick, tmp_path, monkeypatch):
    real, count = Path.replace, iter(range(100))

    def full(self: Path, wanted: Path) -> Path:
        if next(count) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, wanted)

    monkeypatch.setattr(Path, "replace", full)
    answer = run("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", "--out", tmp_path / "r", "--recipe", quick)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "the disk is full" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verbose", [False, True])
def test_a_fault_of_ours_is_told_as_one_and_leaves_nothing(run, flat, quick, tmp_path, monkeypatch, verbose):
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero\nin two lines")

    monkeypatch.setattr(saved, "write", broken)
    words = ["--out", tmp_path / "r", "--recipe", quick, *(["-v"] if verbose else [])]
    answer = run("register", flat / "fixed.nii.gz", flat / "moving.nii.gz", *words)
    assert answer.code == 1
    assert list(tmp_path.iterdir()) == []
    last = answer.err.splitlines()[-1]
    assert last.startswith(
        "pullback: fault: ZeroDivisionError: division by zero in two lines; this is a mistake in pullback"
    )
    assert ("Traceback" in answer.err) == verbose
    if not verbose:
        assert answer.err.count("\n") == 1
        assert "-v" in last


def test_notes_are_made_once_each_and_other_peoples_warnings_only_with_v(run, tmp_path, monkeypatch):
    def describe(path: object) -> dict[str, object]:
        for _ in range(3):
            warnings.warn("the header\ncontradicts itself", PullbackWarning, stacklevel=1)
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        return {"kind": "image"}

    monkeypatch.setattr(io, "describe", describe)
    assert run("info", tmp_path).err == "pullback: note: the header contradicts itself\n"
    assert run("info", tmp_path, "-v").err.count("\n") == 2


def test_the_recipe_in_these_tests_is_a_recipe(quick):
    assert [stage.name for stage in recipe_file.read(quick).stages] == ["align centres", "rigid", "deformable"]
    assert json.dumps(recipe_file.to_dict(recipe_file.read(quick)))
