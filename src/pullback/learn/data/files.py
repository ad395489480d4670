"""Scans from files: a CSV of pairs or of single images, or a folder of images; split by subject, laid on one grid."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from pullback.errors import FileFormatError, InputError
from pullback.io.atomic import full_suffix
from pullback.io.images.read import READERS, open_image
from pullback.learn.data.dataset import Dataset, split
from pullback.learn.data.pairs import Chosen, Pairs
from pullback.learn.data.prepared import Cache, Scan, Scans, prepare
from pullback.learn.data.scaling import canonical, grid
from pullback.typing import Tensor

PARTS = ("train", "validation", "test")
COLUMNS = {"fixed", "moving", "fixed_labels", "moving_labels", "image", "labels", "subject", "split", "group"}
LABEL_ENDINGS = ("_seg", "_gt", "_labels", "-label", "_label", "-labels")


@dataclass(frozen=True)
class Row:
    """A pair (two images) or a single image, as files.

    Attributes:
        images: fixed and moving, or one image.
        labels: of each image; () without.
        subject: whose; rows of one subject stay together.
        part: train, validation or test; "" leaves it to the split.
        group: what it shows, for results by group.
    """

    images: tuple[Path, ...]
    labels: tuple[Path, ...]
    subject: str
    part: str = ""
    group: str = ""


@dataclass(frozen=True)
class Grid:
    """The grid on which the network works.

    Attributes:
        spacing_mm: voxel size along each axis, in data order; that of the middle image by default.
        shape: voxels along each axis; by default that of the largest image.
    """

    spacing_mm: tuple[float, ...] | None = None
    shape: tuple[int, ...] | None = None


def from_files(
    place: str | Path,
    *,
    grid_of: Grid | None = None,
    shares: tuple[float, float] = (0.15, 0.15),
    atlas: str | Path | None = None,
    seed: int = 0,
    cache: Cache | None = None,
) -> Dataset:
    """Scans from a CSV file or a folder.

    A CSV has a line of column names: `fixed,moving` (pairs, compared where their headers say) or `image` (single
    images; any two of them make a pair, their middles laid on each other). Optional: fixed_labels and moving_labels, or
    labels; subject, split (train, validation, test), group. Paths are relative to the CSV's folder. Of a folder, every
    image is taken, with its labels where a file with `_seg`, `_gt` or `_labels` after its name lies beside it.

    Args:
        place: the file or the folder.
        grid_of: where the network works.
        shares: of the subjects for validation and for test, where there is no column `split`.
        atlas: an image onto which all others are registered: it is fixed in every pair. For single images.
        seed: of the split.
        cache: where prepared scans are kept and looked for; without one they are prepared anew each time.

    Raises:
        FileFormatError: something is missing or damaged.
        InputError: too few subjects, or images of unequal dimensions.
    """
    place = Path(place)
    rows = _folder_rows(place) if place.is_dir() else _csv_rows(place)
    rows = _with_parts(rows, shares, seed)
    if atlas is not None and len(rows[0].images) == 2:
        raise InputError("an atlas is for single images; these rows are pairs already")
    chosen = _grid(rows, grid_of or Grid())
    first = None if atlas is None else Row((Path(atlas),), (), "atlas")
    homes = {part: [row for row in rows if row.part == part] for part in PARTS}
    parts = {part: _load(own, chosen, first, part, cache) for part, own in homes.items()}
    return Dataset(place.name, parts["train"], parts["validation"], parts["test"])


def all_pairs(
    place: str | Path,
    *,
    grid_of: Grid | None = None,
    atlas: str | Path | None = None,
    cache: Cache | None = None,
) -> Pairs:
    """Every scan of a CSV file or a folder in one part, to judge a network on; see `from_files`.

    Raises:
        FileFormatError: something is missing or damaged.
    """
    place = Path(place)
    rows = _folder_rows(place) if place.is_dir() else _csv_rows(place)
    first = None if atlas is None else Row((Path(atlas),), (), "atlas")
    return _load(rows, _grid(rows, grid_of or Grid()), first, "the judgement", cache)


def _csv_rows(path: Path) -> list[Row]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"cannot read {path}: {error}; give a CSV file or a folder of images") from error
    reader = csv.DictReader(text.splitlines())
    columns = set(reader.fieldnames or ())
    names = ("fixed", "moving") if {"fixed", "moving"} <= columns else ("image",)
    if not set(names) <= columns or columns - COLUMNS:
        raise FileFormatError(f"{path} needs the columns fixed,moving or image, and may have "
                              f"{', '.join(sorted(COLUMNS))}; got {', '.join(columns) or 'none'}")  # fmt: skip
    label_names = ("fixed_labels", "moving_labels") if len(names) == 2 else ("labels",)
    rows = []
    for number, line in enumerate(reader, start=2):
        images = tuple(path.parent / (line[name] or "") for name in names)
        given = [line.get(name) for name in label_names]
        labels = tuple(path.parent / name for name in given if name)
        part = line.get("split") or ""
        if not all(line[name] for name in names) or len(labels) not in (0, len(names)) or part not in ("", *PARTS):
            raise FileFormatError(f"{path}, line {number}: an image or a label is missing, or split is none of "
                                  f"{', '.join(PARTS)}")  # fmt: skip
        rows.append(Row(images, labels, line.get("subject") or str(images[0]), part, line.get("group") or ""))
    if not rows:
        raise FileFormatError(f"{path} has no lines below its column names")
    return rows


def _folder_rows(folder: Path) -> list[Row]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and full_suffix(p) in READERS)
    stems = {p.with_name(p.name.split(".")[0]): p for p in files}
    labels = {s: p for s, p in stems.items() if s.name.endswith(LABEL_ENDINGS)}
    rows = []
    for stem, path in stems.items():
        if stem in labels:
            continue
        own = [labels[there] for end in LABEL_ENDINGS if (there := stem.with_name(stem.name + end)) in labels]
        rows.append(Row((path,), tuple(own[:1]), str(stem)))
    if not rows:
        raise FileFormatError(f"{folder} holds no images that pullback reads")
    return rows


def _with_parts(rows: list[Row], shares: tuple[float, float], seed: int) -> list[Row]:
    if all(row.part for row in rows):
        homes = {row.subject: {r.part for r in rows if r.subject == row.subject} for row in rows}
        twice = [subject for subject, parts in homes.items() if len(parts) > 1]
        if twice:
            raise InputError(f"the subject {twice[0]} is in several parts of the split; keep each in one")
        return rows
    parts = split([row.subject for row in rows], *shares, seed)
    return [Row(row.images, row.labels, row.subject, parts[row.subject], row.group) for row in rows]


def _grid(rows: Sequence[Row], wanted: Grid) -> Grid:
    """The spacing of the middle image and the shape of the largest, unless told otherwise."""
    spaces = [canonical(open_image(row.images[0]).space) for row in rows]
    if len({space.dimension for space in spaces}) > 1:
        raise InputError("the images are partly 2D and partly 3D; a network takes one kind")
    d = spaces[0].dimension
    for given in (wanted.spacing_mm, wanted.shape):
        if given is not None and len(given) != d:
            raise InputError(f"the images are {d}D; give {d} numbers for the grid, not {len(given)}")
    middle = [sorted(space.spacing[a] for space in spaces)[len(spaces) // 2] for a in range(d)]
    spacing = wanted.spacing_mm or tuple(middle)
    shapes = [grid(space, spacing).shape for space in spaces]
    return Grid(spacing, wanted.shape or tuple(max(shape[a] for shape in shapes) for a in range(d)))


def _load(rows: Sequence[Row], chosen: Grid, atlas: Row | None, part: str, cache: Cache | None) -> Pairs:
    """The scans of one part on the grid, and their pairs."""
    if not rows:
        raise InputError(f"there are no images for {part}; name some in the column `split`, or leave it out")
    every = [*([atlas] if atlas is not None else []), *rows]
    spaces = [grid(canonical(open_image(row.images[0]).space), chosen.spacing_mm, chosen.shape) for row in every]
    labelled = all(row.labels for row in every)
    sources = [Scan(path, space) for row, space in zip(every, spaces, strict=True) for path in row.images]
    sources += [Scan(path, space, labels=True) for row, space in zip(every, spaces, strict=True)
                for path in row.labels if labelled]  # fmt: skip
    made = prepare(sources, cache)
    count = sum(len(row.images) for row in every)
    channels = {len(image) for image in made[:count]}
    if len(channels) > 1:
        raise InputError(f"the images of {part} have unequal numbers of channels: {sorted(channels)}")
    index: list[Chosen] = []
    if len(rows[0].images) == 2:
        index = [(k, k + 1) for k in range(0, count, 2)]
    elif atlas is not None:
        index = [(0, k) for k in range(1, count)]
    groups = tuple(row.group for row in rows for _ in row.images) if rows[0].group and atlas is None else ()
    assert chosen.spacing_mm is not None
    images, labels = _together(made[:count], torch.float32, cache), None
    if labelled:
        labels = _together(made[count:], torch.int64, cache)
    return Pairs(images, chosen.spacing_mm, labels, tuple(index) or None, groups=groups)


def _together(scans: list[Tensor], dtype: torch.dtype, cache: Cache | None) -> Tensor | Scans:
    """One tensor; from a cache each by itself, so that none is read before it is drawn."""
    return torch.stack(scans).to(dtype) if cache is None else Scans(tuple(scans), dtype)
