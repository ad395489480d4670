"""What two contrasts share, and what follows from it: the figures of docs/how_to/trust.md and docs/design_notes.

    python benchmarks/accuracy/contrast_study.py soft        # cardiac-multimodal with and without its soft spline
    python benchmarks/accuracy/contrast_study.py poses       # shared information beside the error of `rigid`
    python benchmarks/accuracy/contrast_study.py prostates   # no recipe named, beside `multimodal`

Images come from PULLBACK_TEST_DATA (default ../shared/data): myops_multiseq, ixi_t1t2_2d and deepreg_mr_trus; the
hearts by code need none. Errors are of known motions, mm.
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import known_pairs
import labelled_pairs
import numpy as np
import torch
from case_files import Case

import pullback as pb
from pullback.image import Image
from pullback.phantom import AffineRange, known_warp
from pullback.registration import SoftSpline
from pullback.space import Space
from pullback.transforms import Affine, resample, resample_labels

DATA = Path(os.environ.get("PULLBACK_TEST_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
SLICE = "ixi_t1t2_2d/IXI002-Guys-0828-{}_slice90.nii.gz"
POSES = 3
SIDE = 256
BINS = (0.0, 0.03, 0.04, 0.07, 0.09, 1.0)


def soft() -> None:
    """Mean error where the truth is to be met, by kind of pair."""
    whole = pb.recipes.named("cardiac-multimodal")
    ways = {
        "stiff": replace(whole, stages=whole.stages[:-1]),
        "as it comes": whole,
        "always soft": replace(whole, stages=(*whole.stages[:-1], SoftSpline(least_shared=0.0))),
    }
    kinds = {"hearts by code": hearts(), "a head, T1 and T2": heads(), "real hearts": real_hearts()}
    for kind, cases in kinds.items():
        rows = []
        for case in cases:
            results = [pb.register(case.fixed, case.moving, recipe) for recipe in ways.values()]
            rows.append([results[0].quality.shared_information, *(error(case, result.transform) for result in results)])
        if rows:
            shared, *errors = zip(*rows, strict=True)
            told = "  ".join(f"{name} {np.mean(e):.2f} mm" for name, e in zip(ways, errors, strict=True))
            print(f"{kind} ({len(rows)}): share {min(shared):.2f} to {max(shared):.2f}; {told}", flush=True)


def hearts() -> Iterator[Case]:
    """Cine and T2 by code; the accuracy table has seeds 0 to 3, of which two are cine and T2."""
    for seed in range(4, 14):
        yield known_pairs._phantom(seed, "t2")


def heads() -> Iterator[Case]:
    """T1 and T2 of one slice of a head, either way round, under warps."""
    paths = [DATA / SLICE.format(name) for name in ("T1", "T2")]
    images = [labelled_pairs.read_quietly(path) for path in paths if path.exists()]
    for seed in range(4 if len(images) == len(paths) else 0):
        fixed, moving = images if seed % 2 == 0 else images[::-1]
        truth = known_warp(fixed.space, seed, 6.0, 20.0, AffineRange(8.0, 0.06, 0.03, 6.0))
        head = fixed.data[0] > 0.15 * fixed.data.max()
        yield Case(fixed, resample(moving, truth.inverse(), moving.space), truth=truth, mask=head)


def real_hearts() -> Iterator[Case]:
    """Cine with T2 and with late enhancement, as in the accuracy table."""
    for contrast in ("T2", "LGE"):
        yield from (make() for _, make in known_pairs.myops(contrast, DATA))


def error(case: Case, transform: pb.Transform) -> float:
    """Mean distance from the known answer, where it is to be met, mm."""
    space = case.fixed.space
    assert case.truth is not None
    away = (transform.displace(space) - case.truth.displace(space)).norm(dim=0)
    return float((away if case.mask is None else away[case.mask]).mean())


def poses() -> None:
    """Quantiles of the mean error at the corners, by what the images share."""
    found = []
    for folder in sorted((DATA / "myops_multiseq").glob("Case*")):
        for contrast in ("T2", "LGE"):
            found += [posed(*case) for case in turned(folder, contrast)]
    shared, errors = np.array(found).reshape(-1, 2).T
    for low, high in pairwise(BINS):
        inside = errors[(shared >= low) & (shared < high)]
        told = np.quantile(inside, [0.5, 0.1, 0.9]).round(1) if len(inside) else ""
        print(
            f"share {low:.2f} to {high:.2f}: {len(inside)} pairs; median and middle four of five {told} mm", flush=True
        )


def turned(folder: Path, contrast: str) -> Iterator[tuple[Image, Image, Affine]]:
    """Cine slices, and the other contrast of each turned by 5 to 95 degrees and shifted by up to a fifth."""
    stacks = [labelled_pairs.read_quietly(folder / f"{folder.name}_{name}.nii.gz") for name in ("C0", contrast, "gd")]
    for k, labels in enumerate(stacks[2].data[0]):
        if int((labels > 0).sum()) < 200:  # too little heart
            continue
        space = Space.of_array(labels.shape, stacks[0].space.spacing[1:])
        middle = (labels > 0).nonzero().float().mean(dim=0).round().int().tolist()
        first = [min(max(m - SIDE // 2, 0), n - SIDE) for m, n in zip(middle, labels.shape, strict=True)]
        window = space.crop(first, [low + SIDE for low in first])
        cine, other = (Image(stack.data[:, k], space) for stack in stacks[:2])
        for pose in range(POSES):
            draw = np.random.default_rng([k, pose, *folder.name.encode(), *contrast.encode()])
            angle = draw.uniform(5, 95) * draw.choice([-1, 1])
            shift = draw.uniform(-0.2, 0.2, 2) * np.array(window.extent)
            truth = Affine.translation(shift.tolist()) @ Affine.rigid(angle, centre=window.centre)
            yield resample(cine, Affine.identity(2), window), resample(other, truth.inverse(), window, "cubic"), truth


def posed(fixed: Image, moving: Image, truth: Affine) -> tuple[float, float]:
    """Shared information, and the mean error at the corners, mm."""
    result = pb.register(fixed, moving, "rigid")
    ends = torch.tensor([[0, 0], [0, SIDE - 1], [SIDE - 1, 0], [SIDE - 1, SIDE - 1]], dtype=torch.float64)
    corners = fixed.space.to_world(ends)
    away = (result.transform(corners) - truth(corners)).norm(dim=1)
    assert result.quality is not None
    return result.quality.shared_information, float(away.mean())


def prostates() -> None:
    """Mean Dice of the gland."""
    for recipe in ("auto", "multimodal"):
        scores = []
        for _, make in labelled_pairs.prostates(DATA):
            case = make()
            result = pb.register(case.fixed, case.moving, recipe)
            fixed, moving = case.labels[0]
            score = pb.evaluate.mean_dice(fixed, resample_labels(moving, result.transform, fixed.space))
            scores.append(0.0 if np.isnan(score) else score)  # a gland that was lost
        print(f"{recipe}: Dice of the gland {np.mean(scores):.3f} ({len(scores)})", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("soft", "poses", "prostates"))
    warnings.simplefilter("ignore", pb.PullbackWarning)
    {"soft": soft, "poses": poses, "prostates": prostates}[parser.parse_args().what]()
