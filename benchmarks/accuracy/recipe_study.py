"""`thorough`, `brain-mri`, `longitudinal` and `lung-ct`, each beside the recipes that one would take in its place.

    python benchmarks/accuracy/recipe_study.py [thorough] [brain-mri] [longitudinal] [lung-ct]

docs/design_notes/recipes.md has what it printed. Images come from PULLBACK_TEST_DATA (default ../shared/data):
oasis_trt_2d, cardiac_ed_es, nilearn_mni, ixi_t1t2_2d and elastix. Warps are known, or labels judge. `lung-ct` has no
patients with landmarks to be judged by: it gets a real CT under breaths that are made up.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import labelled_pairs
import torch
from case_files import Case

import pullback as pb
from pullback import ops
from pullback.evaluate.deformation import jacobian_map
from pullback.image import Image, Labels
from pullback.phantom import AffineRange, known_warp, warp_pair
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform, resample
from pullback.transforms.affine import rotation

DATA = Path(os.environ.get("PULLBACK_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SMALL = AffineRange(angle_degrees=10.0, scale=0.01, shear=0.01, shift_mm=8.0)
"""One head in two scans: anywhere in the coil, and what gradients distort."""
POSE = AffineRange(angle_degrees=3.0, scale=0.0, shear=0.0, shift_mm=4.0)
TISSUE = 0.15
"""Errors are measured where the image is brighter than this part of its maximum."""


@dataclass(frozen=True)
class Kind:
    """Cases of one kind.

    Attributes:
        title: what they are.
        cases: how to make them.
        recipes: that they are given.
        back: whether the way back is asked for, too.
        masked: whether the fixed image comes with a mask of where errors are measured.
    """

    title: str
    cases: Callable[[], Iterator[Case]]
    recipes: tuple[str, ...]
    back: bool = False
    masked: bool = False


def oasis(turned: bool = False) -> Iterator[Case]:
    """Slices of two brains; turned: the moving one lies at any angle in the world, and its header says so."""
    for number, (_, make) in enumerate(labelled_pairs.oasis(DATA)):
        if number == 20:
            return
        case = make()
        if turned:
            draw = torch.Generator().manual_seed(number)
            angle = 180 * (2 * float(torch.rand(1, generator=draw)) - 1)
            space = case.moving.space
            turn = Affine.about(rotation([angle], 2), (0.0, 0.0), space.centre)
            other = Space(space.shape, turn.matrix @ space.matrix)
            ((fixed, moving),) = case.labels
            case = Case(case.fixed, Image(case.moving.data, other), ((fixed, Labels(moving.data, other)),))
        yield case


def acdc() -> Iterator[Case]:
    for _, make in labelled_pairs.acdc(DATA):
        yield make()


def head() -> Image:
    """The T1 template at 2 mm."""
    t1 = pb.read_image(DATA / "nilearn_mni" / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
    shape = tuple(2 * (n // 4) for n in t1.space.shape)
    data = ops.resize(t1.data[None].float(), shape)[0]
    return Image(100 * data / data.max(), t1.space.resized(shape))


def heads(ranges: AffineRange, max_mm: float, count: int = 3) -> Iterator[Case]:
    """One head twice, each scan with noise and shading of its own, under known maps."""
    image = head()
    for seed in range(count):
        yield known(image, known_warp(image.space, seed, max_mm, 20.0, ranges), seed)


def contrasts() -> Iterator[Case]:
    """T1 and T2 of one slice, T1 under a known map (fixed)."""
    home = DATA / "ixi_t1t2_2d"
    t1, t2 = (labelled_pairs.read_quietly(home / f"IXI002-Guys-0828-{name}_slice90.nii.gz") for name in ("T1", "T2"))
    for seed in range(6):
        truth = pb.phantom.random_affine(t1.space, SMALL, seed)
        fixed = resample(t1, truth, t1.space)
        yield Case(fixed, t2, truth=truth, mask=fixed.data[0] > TISSUE * fixed.data.max())


def hearts() -> Iterator[Case]:
    for seed in range(4):
        pair = pb.phantom.make("pair", seed=seed, max_mm=4.0)
        yield Case(pair.fixed, pair.moving, truth=pair.truth, mask=pair.fixed_labels.data > 0)


def known(image: Image, truth: Transform, seed: int) -> Case:
    pair = warp_pair(image, truth, noise=2.0, bias=0.1, seed=seed)
    clean = resample(image, truth, image.space).data[0]
    return Case(pair.fixed, pair.moving, truth=truth, mask=clean > TISSUE * clean.max())


def lungs(wall_mm: float) -> Iterator[Case]:
    """A chest CT (moving) and the same breathed out (fixed): the base rises by 20, 30, 40 mm; ribs and spine stay."""
    home = DATA / "elastix" / "Testing"
    image = labelled_pairs.read_quietly(home / "Baselines" / "3DCT_lung.mha")
    inside = labelled_pairs.read_quietly(home / "Data" / "3DCT_lung_baseline_mask.mha").data[0] > 0
    space = image.space
    ct = Image(image.data.float().clamp(-1000, 500) + 1000, space)
    for seed, rise in enumerate((20.0, 30.0, 40.0)):
        field = breath(inside, space, rise, wall_mm)
        truth = Displacement(field, space)
        fixed = resample(ct, truth, space).data
        jacobian = jacobian_map(field, space)
        lung = resample(Image(inside[None].float(), space), truth, space).data[0] > 0.5
        fixed = torch.where(lung, fixed * jacobian, fixed)  # as much tissue in less room
        noisy = [data + 25 * torch.randn(data.shape, generator=torch.Generator().manual_seed(10 * seed + k)) for k, data
                 in enumerate((fixed, ct.data))]  # fmt: skip
        yield Case(Image(noisy[0], space), Image(noisy[1], space), truth=truth, mask=lung)


def breath(inside: torch.Tensor, space: Space, rise: float, wall_mm: float) -> torch.Tensor:
    """Down by `rise` mm at the base of the lungs, nothing at their tips and around them; `wall_mm` is how gradually."""
    levels = inside.any(dim=2).any(dim=1).nonzero()
    low, high = int(levels.min()), int(levels.max())
    along = torch.arange(space.shape[0], dtype=torch.float64)
    share = ((high - along) / (high - low)).clamp(0, 1)[:, None, None]  # slices are counted from the feet
    around = torch.nn.functional.max_pool2d(inside.any(0, keepdim=True)[None].float(), 5, 1, 2)[0].double()
    moves = (share * around).float()[None, None]
    smooth = ops.smooth(moves, [wall_mm / s for s in space.spacing])[0, 0]
    field = torch.zeros(3, *space.shape)
    field[2] = -rise * smooth / smooth.max()
    return field


KINDS = {
    "thorough": (
        Kind("brain slices of two people", oasis, ("deformable", "thorough", "brain-intersubject")),
        Kind("the same, turned by any angle", lambda: oasis(turned=True), ("deformable", "thorough")),
        Kind("ACDC", acdc, ("deformable", "thorough", "cardiac-sax")),
        Kind("a head of 2 mm, warps of 6 mm", lambda: heads(AffineRange(), 6.0), ("deformable", "thorough")),
    ),
    "brain-mri": (
        Kind("a head of 2 mm, T1 twice", lambda: heads(SMALL, 0.01),
             ("brain-mri", "rigid", "affine", "deformable")),
        Kind("T1 and T2 slices", contrasts, ("brain-mri", "rigid", "affine", "multimodal")),
        Kind("brain slices of two people", oasis, ("brain-mri", "deformable")),
    ),
    "longitudinal": (
        Kind("a head of 2 mm, 3 mm of change", lambda: heads(POSE, 3.0), ("longitudinal", "deformable"), True),
        Kind("a head of 2 mm, unchanged", lambda: heads(POSE, 0.01), ("longitudinal", "deformable"), True),
        Kind("phantom hearts, warps of 4 mm", hearts, ("longitudinal", "deformable"), True),
    ),
    "lung-ct": (
        Kind("a chest CT, breaths made up", lambda: lungs(8.0), ("lung-ct", "large-deformation", "deformable")),
        Kind("the same, along a sharp wall", lambda: lungs(3.0), ("lung-ct", "deformable")),
        Kind("the same, lungs masked", lambda: lungs(3.0), ("lung-ct", "deformable"), masked=True),
    ),
}  # fmt: skip


def judge(case: Case, recipe: str, back: bool, masked: bool = False) -> dict[str, float]:
    """Every measure that the case allows."""
    begun = time.process_time()
    mask = Labels(case.mask.short(), case.fixed.space) if masked else None
    transform = pb.register(case.fixed, case.moving, recipe, fixed_mask=mask).transform
    found = {"cpu s": time.process_time() - begun}
    space = case.fixed.space
    found["folded %"] = pb.evaluate.deformation(transform, space).fold_percent
    for fixed, moving in case.labels:
        measures = pb.evaluate.assess(transform, space, fixed_labels=fixed, moving_labels=moving)
        known = [
            f.value for f in measures.rows if f.measure == "dice" and f.label != "mean" and not math.isnan(f.value)
        ]
        found["Dice"] = statistics.fmean(known)
    if case.truth is not None:
        inside = case.mask
        error = (transform.displace(space) - case.truth.displace(space)).norm(dim=0)[inside]
        found |= {
            "error mm": float(error.mean()),
            "before mm": float(case.truth.displace(space).norm(dim=0)[inside].mean()),
        }
    if back:
        inverse = pb.register(case.moving, case.fixed, recipe).transform
        found["swap mm"] = float(pb.evaluate.inverse_consistency(transform, inverse, space)[case.mask].mean())
        ours, true = (jacobian_map(t.displace(space), space)[case.mask] for t in (transform, case.truth))
        found["volume off %"] = 100 * float((ours / true - 1).abs().mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=list(KINDS), metavar="RECIPE", help=", ".join(KINDS))
    warnings.simplefilter("ignore", pb.PullbackWarning)
    for name in parser.parse_args().recipes:
        for kind in KINDS[name]:
            rows: dict[str, list[dict[str, float]]] = {recipe: [] for recipe in kind.recipes}
            for case in kind.cases():
                for recipe, measured in rows.items():
                    measured.append(judge(case, recipe, kind.back, kind.masked))
            for recipe, measured in rows.items():
                if not measured:
                    continue
                means = {key: statistics.fmean(row[key] for row in measured) for key in measured[0]}
                worst = {"Dice": min, "error mm": max}
                ends = {
                    f"worst {key}": pick(row[key] for row in measured) for key, pick in worst.items() if key in means
                }
                words = "  ".join(f"{key} {value:.3f}" for key, value in (means | ends).items())
                print(f"{name}: {kind.title} ({len(measured)}): {recipe:18s} {words}", flush=True)


if __name__ == "__main__":
    main()
