"""How far a lung that slides along the ribs is followed: mean error in mm, in the parts of a breathing chest.

    python benchmarks/accuracy/sliding.py [--seeds 4]

lung, and its last 8 mm beside the wall; the wall's first 8 mm; all that stays. `moves` is a mask of the lungs and of
what lies below them, which slides too.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import torch

import pullback as pb
from pullback.phantom.breathing import WALL

NEAR = 8.0
RUNS = (
    ("deformable", None),
    ("large-deformation", None),
    ("lung-ct", None),
    ("lung-ct", "lungs"),
    ("lung-ct", "moves"),
)


def errors(slide_mm: float, recipe: str, mask: str | None, seed: int) -> Mapping[str, float]:
    """One pair."""
    pair = pb.phantom.breathing_chest(slide_mm, seed=seed)
    space, labels = pair.fixed.space, pair.fixed_labels.data
    lung, moves = labels == 1, labels < 3
    masks = {}
    if mask is not None:
        masks["lung"] = (pb.Image((lung if mask == "lungs" else moves)[None].float(), space), None)
    found = pb.register(pair.fixed, pair.moving, recipe, masks=masks, threads=1)
    error = (found.transform.displace(space) - pair.truth.field).norm(dim=0)
    near = ((space.grid() - space.centre)[..., 0].abs() - WALL).abs() < NEAR
    places = {"lung": lung, "rim": lung & near, "wall": ~moves & near, "still": ~moves}
    before = float(pair.truth.field.norm(dim=0)[lung].mean())
    means = {name: float(error[where].mean()) for name, where in places.items()}
    return {"before": before} | means | {"folds %": found.quality.fold_percent if found.quality else float("nan")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    for slide_mm in (15.0, 30.0):
        for recipe, mask in RUNS:
            found = [errors(slide_mm, recipe, mask, seed) for seed in range(seeds)]
            means = {key: sum(row[key] for row in found) / seeds for key in found[0]}
            cells = [f"{slide_mm:g}", recipe, mask or "none", *(f"{value:.2f}" for value in means.values())]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
