"""Prepared scans: the same numbers as without a cache, made once, anew when a file or the grid changes."""

import os
import stat
import threading
from pathlib import Path

import pytest
import torch

import pullback as pb
from pullback.errors import PullbackWarning
from pullback.learn import Cache, Grid, all_pairs, from_files
from pullback.learn.data import prepared
from pullback.learn.data.prepared import Scan, cleared, kept, prepare
from pullback.space import Space


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for k in range(6):
        space = Space.of_array((12 + k, 14), (1.5, 1.0))
        image = torch.rand(1, *space.shape, generator=torch.Generator().manual_seed(k))
        pb.write_image(pb.Image(image, space), folder / f"{k}.nii.gz")
        pb.write_image(pb.Labels((image[0] > 0.5).int() * 300, space), folder / f"{k}_seg.nii.gz")
    return folder


def test_the_same_pairs_with_and_without(scans, tmp_path):
    plain = from_files(scans, shares=(0.33, 0.33))
    for cache in (Cache(tmp_path / "a"), Cache(tmp_path / "a")):  # made, then found
        kept_ones = from_files(scans, shares=(0.33, 0.33), cache=cache)
        for part in ("train", "validation", "test"):
            ours, theirs = (getattr(data, part) for data in (kept_ones, plain))
            chosen = [0, 1, len(theirs) - 1]
            for name in ("fixed", "moving", "fixed_labels", "moving_labels"):
                a, b = (getattr(pairs.batch(chosen), name) for pairs in (ours, theirs))
                assert a.dtype == b.dtype
                assert torch.equal(a, b)
    assert (cache.found, cache.made) == (12, 0)
    assert "12 prepared scans (12 from before)" in str(cache)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700  # scans of patients


def test_what_changes_is_made_anew_and_nothing_else(scans, tmp_path):
    def made(**how: object) -> int:
        cache = Cache(tmp_path / "a")
        all_pairs(scans, cache=cache, **how)
        return cache.made

    assert made() == 12
    assert made() == 0
    os.utime(scans / "2.nii.gz", (1, 1))
    assert made() == 1
    image = pb.read_image(scans / "3.nii.gz")
    pb.write_image(pb.Image(image.data * image.data, image.space), scans / "3.nii.gz")
    assert made() == 1
    assert made(grid_of=Grid((2.0, 2.0))) == 12
    assert made() == 0


def test_a_damaged_scan_is_made_anew(scans, tmp_path):
    wanted = all_pairs(scans, cache=Cache(tmp_path / "a")).batch([1, 7])
    for k, path in enumerate(kept(tmp_path / "a")):
        whole = path.read_bytes()
        path.write_bytes((b"", whole[:-1], b"x" + whole[1:], whole[:20])[k % 4])
    cache = Cache(tmp_path / "a")
    assert torch.equal(all_pairs(scans, cache=cache).batch([1, 7]).fixed, wanted.fixed)
    assert cache.made == 12


def test_writing_into_a_scan_does_not_change_the_file(scans, tmp_path):
    for _ in range(2):
        pairs = all_pairs(scans, cache=Cache(tmp_path / "a"))
        first = pairs.images.parts[0]
        assert float(first.max()) <= 1
        first.fill_(7.0)


def test_many_at_once_make_one_cache(scans, tmp_path):
    found: list[torch.Tensor] = []

    def one() -> None:
        found.append(all_pairs(scans, cache=Cache(tmp_path / "a")).batch([8]).fixed)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(torch.equal(each, found[0]) for each in found)
    assert len(kept(tmp_path / "a")) == 12
    assert not list((tmp_path / "a").glob(".writing*"))


def test_the_number_of_workers_changes_nothing(scans):
    space = Space.of_array((10, 9), 1.5)
    sources = [Scan(scans / f"{k}.nii.gz", space) for k in range(6)]
    for one, three in zip(prepare(sources, workers=1), prepare(sources, workers=3), strict=True):
        assert torch.equal(one, three)


def test_a_folder_that_cannot_be_written_costs_a_warning(scans, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    cache = Cache(tmp_path / "file")
    with pytest.warns(PullbackWarning, match="prepared scans are not kept") as said:
        pairs = all_pairs(scans, cache=cache)
    assert len(said) == 1
    assert len(pairs.images) == 6


def test_a_header_with_its_numbers_elsewhere_is_known_by_both(tmp_path):
    (tmp_path / "a.mhd").write_text("one")
    (tmp_path / "numbers.raw").write_text("two")
    source = Scan(tmp_path / "a.mhd", Space.of_array((3, 3), 1.0))
    before = prepared.key(source)
    os.utime(tmp_path / "numbers.raw", (1, 1))
    assert prepared.key(source) != before


def test_clearing_takes_prepared_scans_only(scans, tmp_path):
    all_pairs(scans, cache=Cache(tmp_path / "a"))
    (tmp_path / "a" / "mine.npy").write_text("x")
    (tmp_path / "a" / ".writing-01234567.npy").write_text("half")
    cleared(tmp_path / "a")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine.npy"]
