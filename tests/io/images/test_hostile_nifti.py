"""NIfTI files that lie: refused with one line, before anything is allocated."""

import gzip
import resource
import struct

import nibabel as nib
import numpy as np
import pytest

from pullback import io
from pullback.errors import FileFormatError
from pullback.io import limits
from pullback.io.images.nifti_header import NIFTI1, NIFTI2

NUMBERS = np.arange(120, dtype=np.int16).reshape(6, 5, 4)


def raw_nifti(layout=NIFTI1, **fields):
    """The bytes of a small valid file, with some fields of its header overwritten."""
    kind = nib.Nifti1Image if layout is NIFTI1 else nib.Nifti2Image
    raw = bytearray(kind(NUMBERS, np.eye(4)).to_bytes())
    head = np.frombuffer(bytes(raw[: layout.itemsize]), layout).copy()
    for name, value in fields.items():
        head[name] = value
    raw[: layout.itemsize] = head.tobytes()
    return bytes(raw)


def refused(path, words):
    with pytest.raises(FileFormatError, match=words) as caught:
        io.read_image(path)
    assert str(caught.value).startswith(f"cannot read {path}: ")
    assert "\n" not in str(caught.value)


def test_a_tiny_file_that_declares_32_tb_is_refused_without_allocating(path):
    """The 72 bytes that make nibabel and SimpleITK ask for 32 TB."""
    packed = gzip.compress(raw_nifti(dim=[3, 20000, 20000, 20000, 1, 1, 1, 1], datatype=16, bitpix=32)[:352], 9)
    path("bomb.nii.gz").write_bytes(packed)
    assert len(packed) < 120
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path("bomb.nii.gz"), r"20000 x 20000 x 20000.*float32 \(32 TB\).*at most .* kB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_a_bomb_that_really_unpacks_to_more_than_the_machine_has(path, monkeypatch):
    monkeypatch.setattr(limits, "_physical_memory", lambda: 1_000_000)
    raw = raw_nifti(dim=[3, 200, 200, 200, 1, 1, 1, 1], datatype=2)[:352] + bytes(8_000_000)
    path("bomb.nii.gz").write_bytes(gzip.compress(raw))
    refused(path("bomb.nii.gz"), "needs 32 MB of memory and this machine has 1 MB")


def test_memory_is_touched_only_as_bytes_arrive(path):
    """A gzip of zeros reaches 1000 to 1, so that 1 MB may declare 1 GB; what is not there is not allocated."""
    raw = raw_nifti(dim=[3, 1000, 1000, 900, 1, 1, 1, 1], datatype=2)[:352]
    path("a.nii.gz").write_bytes(gzip.compress(raw + np.random.default_rng(0).bytes(1_000_000)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path("a.nii.gz"), "cut short: 1 MB of 900 MB")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dim": [3, 6, 5, 0, 1, 1, 1, 1]}, "at least 1"),
        ({"dim": [3, 6, -5, 4, 1, 1, 1, 1]}, "at least 1"),
        ({"dim": [0, 6, 5, 4, 1, 1, 1, 1]}, "0 dimensions"),
        ({"dim": [8, 6, 5, 4, 1, 1, 1, 1]}, "8 dimensions"),
        ({"dim": [-3, 6, 5, 4, 1, 1, 1, 1]}, "-3 dimensions"),
        ({"dim": [1, 120, 1, 1, 1, 1, 1, 1]}, "a line of 120"),
        ({"dim": [6, 3, 2, 4, 1, 1, 5, 1]}, "more than five dimensions"),
        ({"dim": [3, 7, 5, 4, 1, 1, 1, 1]}, "cut short"),
        ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, "at most"),
        ({"datatype": 0}, "data type 0"),
        ({"datatype": 1}, "data type 1"),
        ({"datatype": 1536}, "data type 1536"),
        ({"datatype": 32}, "complex"),
        ({"datatype": 1792}, "complex"),
        ({"vox_offset": 1e30}, "begins at byte"),
        ({"vox_offset": np.nan}, "begins at byte"),
        ({"vox_offset": 1e6}, "at most 0 bytes"),
        ({"magic": b"abc"}, "no magic number"),
        ({"magic": b""}, "Analyze"),
        ({"magic": b"ni1"}, "in another file"),
        ({"scl_slope": 2.0, "scl_inter": np.inf}, "scales intensities"),
        ({"qform_code": 0, "sform_code": 0, "pixdim": [1, 0, 1, 1, 1, 1, 1, 1]}, "repair pixdim"),
    ],
)
def test_headers(path, fields, words):
    path("a.nii").write_bytes(raw_nifti(**fields))
    refused(path("a.nii"), words)


@pytest.mark.parametrize(
    "dim", [[3, 2**62, 5, 4, 1, 1, 1, 1], [3, 2**40, 2**40, 2**40, 1, 1, 1, 1], [3, -(2**62), 5, 4, 1, 1, 1, 1]]
)
def test_nifti2_sizes(path, dim):
    path("a.nii").write_bytes(raw_nifti(NIFTI2, dim=dim))
    refused(path("a.nii"), r"cut short|at least 1")


@pytest.mark.parametrize("size", [0, 1, 3, 4, 100, 347, 348, 351, 352, 400, 591])
def test_cut_short(path, size):
    path("a.nii").write_bytes(raw_nifti()[:size])
    refused(path("a.nii"), "cut short|empty|not a NIfTI|at most")


@pytest.mark.parametrize("size", [0, 1, 2, 10, 20, 60, 150, -30, -9, -1])
def test_a_gzipped_file_cut_short(path, size):
    path("a.nii.gz").write_bytes(gzip.compress(raw_nifti())[:size])
    refused(path("a.nii.gz"), "cut short|empty|damaged|not a NIfTI")


def test_a_wrong_checksum(path):
    packed = bytearray(gzip.compress(raw_nifti()))
    packed[-8] ^= 255
    path("a.nii.gz").write_bytes(packed)
    refused(path("a.nii.gz"), "damaged")


@pytest.mark.parametrize(
    "raw",
    [
        b"hello, this is text\n" * 50,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 400,
        struct.pack("<i", 348) + b"\xff" * 600,
        b"\0" * 1000,
    ],
)
def test_garbage(path, raw):
    path("a.nii").write_bytes(raw)
    refused(path("a.nii"), "not a NIfTI|not NIfTI|damaged")


def test_missing_things(path):
    refused(path("no.nii.gz"), "there is no such file")
    nib.save(nib.Nifti1Pair(NUMBERS, np.eye(4)), path("a.hdr"))
    path("a.img").unlink()
    refused(path("a.hdr"), "there is no such file")
    path("a.xyz").write_bytes(b"something" * 30)
    refused(path("a.xyz"), "no image format that pullback knows; use one of .nii")
    path("folder.nii").mkdir()
    refused(path("folder.nii"), "no DICOM images")
