"""Outputs appear whole or not at all."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from pullback import io
from pullback.errors import InputError
from pullback.image import Image, Points
from pullback.io import atomic
from pullback.io.images import nifti
from pullback.transforms import Affine


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def write_half(path: Path, failure: BaseException) -> None:
    with atomic(path) as one:
        one.write_text("half")
        raise failure


def test_the_file_appears_at_the_end(tmp_path):
    wanted = tmp_path / "a.nii.gz"
    with atomic(wanted) as one:
        assert one.parent == tmp_path
        assert one.name.endswith(".nii.gz")
        assert one != wanted
        one.write_text("whole")
        assert not wanted.exists()
    assert wanted.read_text() == "whole"
    assert leftovers(tmp_path) == ["a.nii.gz"]


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_nothing_is_left_after_a_failure_and_the_old_file_stays(tmp_path, failure):
    wanted = tmp_path / "a.txt"
    wanted.write_text("old")
    with pytest.raises(type(failure)):
        write_half(wanted, failure)
    assert wanted.read_text() == "old"
    assert leftovers(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "permission denied"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
    ],
)
def test_errors_of_the_system_become_a_sentence(tmp_path, code, words):
    with pytest.raises(InputError, match=words) as caught:
        write_half(tmp_path / "a.txt", OSError(code, "whatever"))
    assert str(tmp_path / "a.txt") in str(caught.value)
    assert leftovers(tmp_path) == []


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(InputError, match="does not exist"), atomic(tmp_path / "no" / "a.txt"):
        pytest.fail("the block must not run")


def test_a_folder_is_not_overwritten(tmp_path):
    with pytest.raises(InputError, match="folder"), atomic(tmp_path):
        pytest.fail("the block must not run")


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(InputError, match="device"), atomic("/dev/null"):
        pytest.fail("the block must not run")


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "real.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    with atomic(link) as one:
        one.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize(
    "name", ["a.nii.gz", "a.nii", "a.img", "a.mha", "a.mhd", "a.nrrd", "a.nhdr", "a.npy", "a.npz", "a.tif", "a.png"]
)
def test_no_image_writer_leaves_half_a_file(tmp_path, monkeypatch, name):
    """The disk fills up at the moment of renaming, which every writer passes last."""
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(InputError, match="disk is full"):
        io.write_image(Image.of(np.ones((4, 5), np.float32)), tmp_path / name)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["a.h5", "a.tfm", "a.mat", "a.nii.gz"])
def test_no_transform_writer_leaves_half_a_file(tmp_path, monkeypatch, name):
    space = Image.of(np.ones((4, 5), np.float32)).space
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(InputError, match="disk is full"):
        io.write_transform(Affine.identity(2), tmp_path / name, onto=space)
    assert leftovers(tmp_path) == []


def test_no_point_writer_leaves_half_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EACCES, "no")))
    with pytest.raises(InputError, match="permission denied"):
        io.write_points(Points(torch.ones(2, 3)), tmp_path / "a.csv")
    assert leftovers(tmp_path) == []


def test_an_interrupt_while_compressing_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(array):
        raise KeyboardInterrupt

    monkeypatch.setattr(nifti, "as_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        io.write_image(Image.of(np.ones((4, 5), np.float32)), tmp_path / "a.nii.gz")
    assert leftovers(tmp_path) == []
