"""A case of the accuracy table: what it is in memory, and how it lies on disk for the tools and for the judge.

A folder holds fixed.nii.gz, moving.nii.gz and pair.json, as the tools of `benchmarks/peers` expect; and for the judge
fixed_labels_K.nii.gz with moving_labels_K.nii.gz, truth.nii.gz (fixed -> moving) and mask.nii.gz, where there are any.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

import pullback as pb
from pullback.image import Image, Labels
from pullback.transforms import Transform
from pullback.typing import Tensor


@dataclass(frozen=True, eq=False)
class Case:
    """A pair and what is known of it.

    Attributes:
        fixed: the image that stays.
        moving: the image that is pulled back.
        labels: pairs of label maps, fixed and moving; several where labels overlap.
        truth: fixed world -> moving world, where it is known.
        mask: fixed voxels where the truth is to be met; all by default.
    """

    fixed: Image
    moving: Image
    labels: tuple[tuple[Labels, Labels], ...] = ()
    truth: Transform | None = None
    mask: Tensor | None = None


def write(case: Case, folder: Path, kind: str, group: str) -> None:
    """Write a case; pair.json comes last, so that a folder that has one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    pb.write_image(case.fixed, folder / "fixed.nii.gz")
    pb.write_image(case.moving, folder / "moving.nii.gz")
    for k, sides in enumerate(case.labels):
        for side, labels in zip(("fixed", "moving"), sides, strict=True):
            pb.write_image(labels, folder / f"{side}_labels_{k}.nii.gz")
    space = case.fixed.space
    if case.truth is not None:
        pb.write_displacement(case.truth, space, folder / "truth.nii.gz")
    if case.mask is not None:
        pb.write_image(Labels(case.mask.to(torch.int16), space), folder / "mask.nii.gz")
    facts = {
        "name": folder.name,
        "group": group,
        "kind": kind,
        "shape": list(reversed(space.shape)),  # as the file has it, x first
        "spacing_mm": [round(s, 6) for s in reversed(space.spacing)],
        "labels": len(case.labels),
    }
    (folder / "pair.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> Case:
    """The same case again."""
    count = json.loads((folder / "pair.json").read_text(encoding="utf-8"))["labels"]
    labels = tuple(
        (pb.read_labels(folder / f"fixed_labels_{k}.nii.gz"), pb.read_labels(folder / f"moving_labels_{k}.nii.gz"))
        for k in range(count)
    )
    truth, mask = folder / "truth.nii.gz", folder / "mask.nii.gz"
    return Case(
        pb.read_image(folder / "fixed.nii.gz"),
        pb.read_image(folder / "moving.nii.gz"),
        labels,
        pb.read_transform(truth) if truth.exists() else None,
        pb.read_labels(mask).data > 0 if mask.exists() else None,
    )
