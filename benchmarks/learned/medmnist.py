"""Doing nothing, networks and a classical registration on small medical pictures.

    PULLBACK_DATA=folder python benchmarks/learned/medmnist.py [--pairs 50] [--threads 1]

For each set: two networks (`swift-2d`, and the same with integrate=5 and 0.03 x Diffusion), trained on its training
part by 400 steps of 2 pairs, and the recipe `fast`, on the same test pairs. Pictures are normalised as in the tutorial:
2nd and 98th percentile at 0 and 1, edge repeated. Sets: the classes of PneumoniaMNIST (where its file is), each by
itself, and the chests that pullback draws. "known" are test pictures warped by a known smooth field, with noise: mean
distance from the right answer. Writes benchmarks/results/learned_medmnist.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional

from pullback.energy import Diffusion
from pullback.learn import Dataset, Pairs, TrainingRecipe, by, chests, measure, medmnist, stay, train, training, warp
from pullback.registration import recipes
from pullback.registration.judge import by_recipe

RESULTS = Path(__file__).parents[1] / "results" / "learned_medmnist.csv"


def normalised(pairs: Pairs) -> Pairs:
    """Each picture from its 2nd to its 98th percentile, its edge repeated in place of the frame of zeros."""
    inner = pairs.images[:, :, 2:-2, 2:-2]
    low, high = (inner.flatten(1).quantile(q, dim=1).view(-1, 1, 1, 1) for q in (0.02, 0.98))
    inner = ((inner - low) / (high - low).clamp(min=0.05)).clamp(0, 1)
    return Pairs(functional.pad(inner, (2, 2, 2, 2), mode="replicate"), pairs.spacing_mm)


def known_pairs(images: torch.Tensor) -> Pairs:
    """Pictures beside themselves, warped by 1.5 pixels in the mean of each axis, with noise on both."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(len(images), 2, 4, 4, generator=generator)
    truth = 1.5 * functional.interpolate(coarse, size=images.shape[2:], mode="bicubic", align_corners=False)
    both = torch.cat([warp(images, truth), images])
    both = both + 0.05 * torch.randn(both.shape, generator=generator)
    return Pairs(both, (1.0, 1.0), index=tuple((k, len(images) + k) for k in range(len(images))), truth=truth)


def sets() -> Iterator[Dataset]:
    if "PULLBACK_DATA" in os.environ:
        yield medmnist("pneumoniamnist", group=0)
        yield medmnist("pneumoniamnist", group=1)
    yield chests()


def trainings() -> Iterator[tuple[str, TrainingRecipe]]:
    swift = training("swift-2d")
    swift = replace(swift, training=replace(swift.training, epochs=80, batch=2, validate_every=80, validation_pairs=2))
    yield "swift-2d", swift
    smooth = replace(swift.loss, regulariser=Diffusion(), regulariser_weight=0.03)
    yield "swift-2d smooth", replace(swift, loss=smooth, network=replace(swift.network, integrate=5))


def rows_of(raw: Dataset, count: int) -> Iterator[dict[str, object]]:
    data = Dataset(raw.name, normalised(raw.train), normalised(raw.validation), normalised(raw.test))
    chosen, known = data.test.some(count), known_pairs(data.test.images[:count])
    ways, seconds = {"identity": stay, "fast": by_recipe(recipes.fast(), data.test)}, {}
    for name, recipe in trainings():
        began = time.process_time()
        ways[name] = by(train(recipe, data).model)
        seconds[name] = round(time.process_time() - began, 1)
    for name, way in ways.items():
        began = time.process_time()
        figures = measure(way, data.test, chosen)
        each = (time.process_time() - began) / len(chosen)
        answer = by_recipe(recipes.fast(), known) if name == "fast" else way
        yield {
            "set": data.name,
            "what": name,
            "mse": round(figures["mse"], 5),
            "fold_percent": round(figures["fold_percent"], 3),
            "known_error_pixels": round(measure(answer, known, range(len(known)))["epe_mm"], 3),
            "cpu_seconds_a_pair": float(f"{each:.2g}"),
            "training_cpu_seconds": seconds.get(name, ""),
        }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pairs", type=int, default=50)
    p.add_argument("--threads", type=int, default=1)
    options = p.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for data in sets():
        for row in rows_of(data, options.pairs):
            print(row, flush=True)
            rows.append(row)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
