"""strain.csv: the strain of the wall in each frame of a tracked cine."""

from __future__ import annotations

import csv
from pathlib import Path

from pullback import io
from pullback.cardiac.strain import SECTORS, strain
from pullback.cardiac.tracked import Tracking, check_labels
from pullback.image import Labels

FILE = "strain.csv"


def write_strain(
    tracking: Tracking,
    labels: Labels,
    path: str | Path,
    *,
    wall: int = 2,
    right: int | None = None,
    frame_seconds: float | None = None,
) -> None:
    """Write a line for each frame: means over the wall and, with a right ventricle, over each sector, in per cent.

    Args:
        tracking: what `track` found.
        labels: of the fixed frame.
        path: the file.
        wall: the number of the left ventricular wall in them.
        right: that of the right ventricular cavity; None for no sectors.
        frame_seconds: from one frame to the next.

    Raises:
        InputError: there is no such label, or the file cannot be written.
    """
    check_labels(labels, tracking.fixed)
    kinds = ("radial", "circumferential")
    found = [strain(transform, labels, wall=wall, right=right) for transform in tracking.transforms]
    names = [name for name in SECTORS if name in found[0].by_sector(found[0].radial)]
    columns = [f"{kind}{part}_percent" for kind in kinds for part in ("", *(f"_{name}" for name in names))]
    with io.atomic(Path(path)) as one, one.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["frame", "seconds", *columns])
        for t, each in enumerate(found):
            values: list[float] = []
            for mean, field in ((each.mean_radial, each.radial), (each.mean_circumferential, each.circumferential)):
                values += [mean, *(each.by_sector(field)[name] for name in names)]
            when = "" if frame_seconds is None else f"{t * frame_seconds:.4f}"
            writer.writerow([t, when, *(f"{100 * value:.4g}" for value in values)])
