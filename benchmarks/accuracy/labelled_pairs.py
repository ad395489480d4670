"""Real pairs with labels, or none: hearts at two phases; hearts and brains of two people; prostates of two machines."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from case_files import Case
from cases import LABELLED

import pullback as pb
from pullback.errors import PullbackWarning
from pullback.image import Image, Labels
from pullback.io.images.read import open_image

Made = Iterator[tuple[str, Callable[[], Case]]]
"""(name, how to make it): nothing is read before it is needed."""


def acdc(data: Path) -> Made:
    """End of diastole (fixed) and of systole, as they came from the scanner."""
    for patient in sorted((data / "cardiac_ed_es" / "acdc").glob("patient*")):
        frames = sorted(patient.glob("*_frame??.nii.gz"))[:2]
        labels = [frame.with_name(frame.name.replace(".nii.gz", "_gt.nii.gz")) for frame in frames]
        yield patient.name.replace("patient", "p"), partial(_pair, frames, labels)


def mms(data: Path) -> Made:
    """The same of other scanners, cropped to the heart."""
    for first in sorted((data / "cardiac_ed_es" / "mms").rglob("*_ED.nii.gz")):
        stem = first.name[: -len("_ED.nii.gz")]
        images, labels = ([first.with_name(f"{stem}_{end}.nii.gz") for end in ends] for ends in
                          (("ED", "ES"), ("ED_gt", "ES_gt")))  # fmt: skip
        yield stem, partial(_pair, images, labels)


def cmrxmotion(data: Path) -> Made:
    """Volunteers who held their breath (scan 1) and who did not (scans 2 to 4)."""
    for scan in sorted((data / "cardiac_ed_es" / "cmrxm22").glob("P*-?")):
        images, labels = ([scan / f"{scan.name}-{end}.nii.gz" for end in ends] for ends in
                          (("ED", "ES"), ("ED-label", "ES-label")))  # fmt: skip
        yield scan.name, partial(_pair, images, labels)


def mscmr(data: Path) -> Made:
    """Late enhancement of two people, both ways round."""
    home = data / "mscmr_lge"
    people = sorted(path.name.split("_")[0] for path in (home / "images").glob("subject*_DE.nii.gz"))
    for pair in itertools.permutations(people, 2):
        images = [home / "images" / f"{who}_DE.nii.gz" for who in pair]
        labels = [home / "labels" / f"{who}_DE_manual.nii.gz" for who in pair]
        yield "-".join(who.replace("subject", "s") for who in pair), partial(_pair, images, labels)


def oasis(data: Path) -> Made:
    """Slices of the brains of two people: twenty ordered pairs that were drawn once, then all others of the ten."""
    home = data / "oasis_trt_2d"
    others = [f"{a}-{b}" for a, b in itertools.permutations(range(1, 11), 2) if f"{a}-{b}" not in LABELLED]
    for pair in [*LABELLED, *others]:
        names = [f"OASIS-TRT-20-{n}" for n in pair.split("-")]
        images = [home / "Atlases" / f"{name}_slice118.nii.gz" for name in names]
        labels = [home / "Labels" / f"{name}_DKT31_CMA_labels_slice118.nii.gz" for name in names]
        if all(path.exists() for path in (*images, *labels)):
            yield pair, partial(_pair, images, labels)


def prostates(data: Path) -> Made:
    """Ultrasound (fixed) and MR of one prostate; label 0 is the gland, the others are landmarks within it."""
    home = data / "deepreg_mr_trus"
    for fixed in sorted((home / "fixed_images").glob("case*.nii.gz")):
        yield fixed.name.split(".")[0].replace("case0000", ""), partial(_prostate, home, fixed.name)


def brains(data: Path) -> Made:
    """Two heads of 1 mm, without labels."""
    home = data / "antspy"
    if (home / "mni.nii.gz").exists() and (home / "ch2.nii.gz").exists():
        yield "mni-ch2", partial(_pair, [home / "mni.nii.gz", home / "ch2.nii.gz"], [])


def read_quietly(path: Path) -> Image:
    """An image; what is odd about its header has been looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PullbackWarning)
        return pb.read_image(path)


def _pair(images: list[Path], labels: list[Path]) -> Case:
    fixed, moving = (read_quietly(path) for path in images)
    maps = [_labels(read_quietly(path)) for path in labels]
    return Case(fixed, moving, ((maps[0], maps[1]),) if maps else ())


def _prostate(home: Path, name: str) -> Case:
    images = [read_quietly(home / f"{side}_images" / name) for side in ("fixed", "moving")]
    files = [home / f"{side}_labels" / name for side in ("fixed", "moving")]
    count = open_image(files[0]).frames
    maps = [[_labels(pb.read_image(file, frame=k)) for file in files] for k in range(count)]
    return Case(images[0], images[1], tuple((fixed, moving) for fixed, moving in maps))


def _labels(image: Image) -> Labels:
    return Labels.of(image.data[0].round(), space=image.space)
