"""The sets of the accuracy table: which pairs, what is judged, which tools, and one recipe for all pairs of a set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import known_pairs
import labelled_pairs
from labelled_pairs import Made

MONO = ("greedy", "ants", "elastix", "simpleitk", "dipy", "fireants")
DENSE = (*MONO, "convexadam")
MULTI = ("greedy:mi", "ants:default", "elastix", "fireants:mi")
RIGID = ("greedy", "ants:default", "elastix", "simpleitk", "dipy", "fireants")
PEOPLE = ("greedy", "ants:default", "elastix", "simpleitk", "fireants", "convexadam")
RV_MYO_LV = {"1": "RV", "2": "Myo", "3": "LV"}
MYO_LV_RV = {"1": "Myo", "2": "LV", "3": "RV"}


@dataclass(frozen=True)
class Set:
    """Pairs of one kind.

    Attributes:
        name: in file names and on the command line.
        title: for the page.
        make: data folder -> (name, how to make it) of each case; none where the data is not there.
        kind: what the tools are asked for, as in `benchmarks/peers`: rigid, or full (affine, then deformable).
        recipe: pullback's, for every case.
        tools: the others.
        judge: the measure that orders cases from best to worst: dice, epe_mm, corner_mm or ncc.
        names: of labels.
        group: what the peers' scripts know such pairs by.
        public: whether its images may be shown.
        most: cases that run unless more are asked for.
    """

    name: str
    title: str
    make: Callable[[Path], Made]
    kind: str
    recipe: str
    tools: tuple[str, ...]
    judge: str
    names: Mapping[str, str] = field(default_factory=dict)
    group: str = "cardiac"
    public: bool = False
    most: int = 100


SETS = (
    Set("phantom", "Synthetic hearts, known warp", known_pairs.phantoms, "full",
        "cardiac-multimodal", MULTI, "epe_mm",
        RV_MYO_LV, public=True),
    Set("acdc", "ACDC, ED <- ES", labelled_pairs.acdc, "full", "cardiac-sax", DENSE, "dice", RV_MYO_LV),
    Set("mms", "M&Ms, ED <- ES", labelled_pairs.mms, "full", "cardiac-sax", DENSE, "dice",
        {"1": "LV", "2": "Myo", "3": "RV"}),
    Set("cmrxmotion", "CMRxMotion, ED <- ES", labelled_pairs.cmrxmotion, "full", "cardiac-sax", DENSE, "dice",
        {"1": "LV", "2": "RV", "3": "Myo"}),
    Set("seedlike", "Cine <- warped T2, known warp", known_pairs.seedlike, "full",
        "cardiac-multimodal", MULTI, "epe_mm",
        MYO_LV_RV),
    Set("myops_t2", "Warped cine <- T2, known warp", partial(known_pairs.myops, "T2"), "full",
        "cardiac-multimodal", MULTI,
        "epe_mm", MYO_LV_RV),
    Set("myops_lge", "Warped cine <- LGE, known warp", partial(known_pairs.myops, "LGE"), "full",
        "cardiac-multimodal", MULTI,
        "epe_mm", MYO_LV_RV),
    Set("oasis", "Brain slices of two people", labelled_pairs.oasis, "full",
        "brain-intersubject", MONO, "dice", group="oasis",
        most=20),
    Set("prostate", "Prostate, ultrasound <- MR", labelled_pairs.prostates, "full",
        "prostate-mr-us", (*MULTI, "convexadam"), "dice",
        {"0": "gland"}, "prostate", public=True),
    Set("mscmr", "LGE of two people", labelled_pairs.mscmr, "full", "large-deformation",
        PEOPLE, "dice", RV_MYO_LV),
    Set("brains", "Two heads, 1 mm", labelled_pairs.brains, "full",
        "brain-intersubject",
        PEOPLE, "ncc", group="brain", public=True),
    Set("itk", "ITK's pictures, known motion", known_pairs.itk, "rigid", "rigid", RIGID, "epe_mm", group="picture",
        public=True),
    Set("capture_2d", "Rigid, from far, cine slices", known_pairs.capture_2d, "rigid", "rigid", RIGID, "corner_mm",
        group="picture"),
    Set("capture_3d", "Rigid, from far, a brain of 2 mm", known_pairs.capture_3d, "rigid", "rigid", RIGID, "corner_mm",
        group="brain-turned", public=True),
)  # fmt: skip
BY_NAME = {one.name: one for one in SETS}
