"""Pairs for the study of accuracy: known warps of brains, heads and slices, and slices of two people with labels.

`PULLBACK_TEST_DATA` must hold `nilearn_mni` and `oasis_trt_2d`; the heads come from `benchmarks/peers/pairs.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import pullback as pb
from pullback import ops
from pullback.image import Image, Labels
from pullback.phantom.warps import known_warp, warp_pair
from pullback.registration.prepare import Prepare, Prepared
from pullback.registration.recipes import deformable
from pullback.transforms import Affine, Transform, resample
from pullback.typing import Field, Tensor

LABELLED = ["4-8", "4-3", "9-4", "6-2", "10-8", "5-10", "2-6", "10-2", "9-3", "1-10", "10-5", "10-3", "10-7", "4-5",
            "10-6", "4-6", "8-3", "3-9", "3-6", "5-4"]  # fmt: skip
"""Ordered pairs of OASIS-TRT-20 slices, fixed-moving; 20 of the 90 there are, drawn once."""
BRIGHT = 0.1
"""Errors are measured where the fixed image is brighter than this part of its maximum: air has no true position."""


@dataclass(frozen=True, eq=False)
class Case:
    """A pair as a deformable stage sees it, with what is needed to judge the result."""

    kind: str
    fixed: Prepared
    moving: Prepared
    initial: Transform
    truth: Field | None = None
    mask: Tensor | None = None
    fixed_labels: Labels | None = None
    moving_labels: Labels | None = None


def cases(kinds: list[str]) -> Iterator[Case]:
    """All cases of some kinds."""
    makers = {"brain": brains, "head": heads, "slice": slices, "labelled": labelled}
    for kind in kinds:
        yield from makers[kind]()


def brains() -> Iterator[Case]:
    """The MNI template at half resolution under two smooth warps."""
    t1 = pb.read_image(_data("nilearn_mni", "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"))
    small = ops.resize(t1.data[None].float(), tuple(2 * (n // 4) for n in t1.space.shape))[0, 0]
    for seed in (1, 2):
        yield _known("brain", Image.of(small / small.max() * 100), seed, max_mm=6.0, smoothness_mm=11.0)


def slices() -> Iterator[Case]:
    """Four slices of brains under smooth warps."""
    for number in (1, 2, 3, 4):
        image = pb.read_image(_data("oasis_trt_2d", "Atlases", f"OASIS-TRT-20-{number}_slice118.nii.gz"))
        scaled = Image(image.data.float() / float(image.data.max()) * 100, image.space)
        yield _known("slice", scaled, number, max_mm=8.0, smoothness_mm=18.0)


def heads() -> Iterator[Case]:
    """The heads of the comparison with other tools, smaller."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
    from pairs import synthetic

    for seed in (0, 1):
        fixed, moving, warp, mask = (np.ascontiguousarray(a) for a in synthetic((96, 112, 96), seed=seed))
        fixed_image, moving_image = (Image.of(a.astype("float32")) for a in (fixed, moving))
        truth = torch.einsum("ij,j...->i...", fixed_image.space.linear.float(), torch.from_numpy(warp).float())
        yield _case("head", fixed_image, moving_image, truth=truth, mask=torch.from_numpy(mask))


def labelled() -> Iterator[Case]:
    """Slices of two people, aligned by the linear stages of the default recipe."""
    recipe = deformable()
    linear = replace(recipe, stages=recipe.stages[: recipe.stages.index(recipe.dense)])
    for pair in LABELLED:
        names = [f"OASIS-TRT-20-{n}" for n in pair.split("-")]
        images = [pb.read_image(_data("oasis_trt_2d", "Atlases", f"{n}_slice118.nii.gz")) for n in names]
        labels = [
            pb.read_labels(_data("oasis_trt_2d", "Labels", f"{n}_DKT31_CMA_labels_slice118.nii.gz")) for n in names
        ]
        initial = pb.register(*images, linear).transform
        yield _case("labelled", *images, initial=initial, fixed_labels=labels[0], moving_labels=labels[1])


def _known(kind: str, image: Image, seed: int, max_mm: float, smoothness_mm: float) -> Case:
    warp = known_warp(image.space, seed=seed, max_mm=max_mm, smoothness_mm=smoothness_mm)
    pair = warp_pair(image, warp, noise=2.0, bias=0.1, seed=seed)
    clean = resample(image, warp, image.space).data[0]
    truth = warp.displace(image.space)
    return _case(kind, pair.fixed, pair.moving, truth=truth, mask=clean > BRIGHT * float(image.data.max()))


def _case(kind: str, fixed: Image, moving: Image, initial: Transform | None = None, **known: object) -> Case:
    prepared = Prepare().pair(fixed, moving, None, None, "cpu")
    return Case(kind, *prepared, initial or Affine.identity(fixed.space.dimension), **known)  # type: ignore[arg-type]


def _data(*parts: str) -> Path:
    return Path(os.environ["PULLBACK_TEST_DATA"], *parts)
