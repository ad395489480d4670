"""Doing nothing, networks and a classical registration on small medical pictures.

    PULLBACK_DATA=folder python benchmarks/learned/medmnist.py [--pairs 50] [--seeds 3] [--threads 1] [--sets NAME ...]

For each set: two networks (`swift-2d`, and the same with integrate=5 and 0.03 x Diffusion), trained on its training
part by 400 steps of 2 pairs from several seeds, and the recipe `fast`, on the same test pairs. Pictures are normalised
as in the tutorial: 2nd and 98th percentile at 0 and 1, edge repeated. Sets: the classes of every MedMNIST set of grey
pictures whose file is in PULLBACK_DATA/medmnist, each by itself (those with fewer than 100 pictures to learn from left
out), and the chests that pullback draws. Figures are means over the seeds, "spread" their standard deviation. "known"
are test pictures warped by a known smooth field, with noise: mean distance from the right answer. Writes
benchmarks/results/learned_medmnist.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import torch
from torch.nn import functional

from pullback.energy import Diffusion
from pullback.learn import Dataset, Pairs, TrainingRecipe, by, chests, measure, medmnist, stay, train, training, warp
from pullback.learn.measure import Way
from pullback.registration import recipes
from pullback.registration.judge import by_recipe

RESULTS = Path(__file__).parents[1] / "results" / "learned_medmnist.csv"


def normalised(pairs: Pairs) -> Pairs:
    """Each picture from its 2nd to its 98th percentile, its edge repeated in place of the frame of zeros."""
    inner = pairs.images[:, :, 2:-2, 2:-2]
    low, high = (inner.flatten(1).quantile(q, dim=1).view(-1, 1, 1, 1) for q in (0.02, 0.98))
    inner = ((inner - low) / (high - low).clamp(min=0.05)).clamp(0, 1)
    return Pairs(functional.pad(inner, (2, 2, 2, 2), mode="replicate"), pairs.spacing_mm)


LEAST = 100
"""Pictures of a class, to learn from."""


def known_pairs(images: torch.Tensor) -> Pairs:
    """Pictures beside themselves, warped by 1.5 pixels in the mean of each axis, with noise on both."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(len(images), 2, 4, 4, generator=generator)
    truth = 1.5 * functional.interpolate(coarse, size=images.shape[2:], mode="bicubic", align_corners=False)
    both = torch.cat([warp(images, truth), images])
    both = both + 0.05 * torch.randn(both.shape, generator=generator)
    return Pairs(both, (1.0, 1.0), index=tuple((k, len(images) + k) for k in range(len(images))), truth=truth)


def sets(names: list[str]) -> Iterator[Dataset]:
    """The classes of those that are there, and drawn chests."""
    folder = Path(os.environ.get("PULLBACK_DATA", "")) / "medmnist"
    for path in sorted(folder.glob("*.npz")) if "PULLBACK_DATA" in os.environ else []:
        if not names or path.stem in names:
            yield from classes(path.stem)
    if not names or "chests" in names:
        yield chests()


def classes(name: str) -> Iterator[Dataset]:
    """Each class by itself, where there is enough of it."""
    whole = medmnist(name)
    for group in sorted(set(whole.train.groups), key=int) if whole.train.channels == 1 else []:
        if whole.train.groups.count(group) >= LEAST and whole.test.groups.count(group) > 1:
            yield medmnist(name, group=int(group))


def trainings(seed: int) -> Iterator[tuple[str, TrainingRecipe]]:
    swift = training("swift-2d")
    swift = replace(swift, training=replace(swift.training, epochs=80, batch=2, validate_every=80, validation_pairs=2,
                                           seed=seed))  # fmt: skip
    yield "swift-2d", swift
    smooth = replace(swift.loss, regulariser=Diffusion(), regulariser_weight=0.03)
    yield "swift-2d smooth", replace(swift, loss=smooth, network=replace(swift.network, integrate=5))


def rows_of(raw: Dataset, count: int, seeds: int) -> Iterator[dict[str, object]]:
    """A row for each way, over the seeds."""
    data = Dataset(raw.name, normalised(raw.train), normalised(raw.validation), normalised(raw.test))
    chosen, known = data.test.some(count), known_pairs(data.test.images[:count])
    ways: dict[str, list[tuple[Way, Way]]] = {
        "identity": [(stay, stay)],
        "fast": [(by_recipe(recipes.fast(), data.test), by_recipe(recipes.fast(), known))],
    }
    seconds: dict[str, list[float]] = {}
    for seed in range(seeds):
        for name, recipe in trainings(seed):
            began = time.process_time()
            way = by(train(recipe, data).model)
            ways.setdefault(name, []).append((way, way))
            seconds.setdefault(name, []).append(time.process_time() - began)
    for name, several in ways.items():
        found = [one(pair, data.test, chosen, known) for pair in several]
        row: dict[str, object] = {"set": data.name, "what": name, "seeds": len(found)}
        for key in ("mse", "fold_percent", "known_error_pixels"):
            values = [figures[key] for figures in found]
            row |= {key: round(mean(values), 5), f"{key}_spread": round(stdev(values), 5) if len(values) > 1 else ""}
        row["cpu_seconds_a_pair"] = float(f"{mean([figures['seconds'] for figures in found]):.2g}")
        yield row | {"training_cpu_seconds": round(mean(seconds[name]), 1) if name in seconds else ""}


def one(ways: tuple[Way, Way], test: Pairs, chosen: list[int], known: Pairs) -> dict[str, float]:
    """The figures of one network, or of a recipe."""
    began = time.process_time()
    figures = measure(ways[0], test, chosen)
    figures["seconds"] = (time.process_time() - began) / len(chosen)
    return figures | {"known_error_pixels": measure(ways[1], known, range(len(known)))["epe_mm"]}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pairs", type=int, default=50)
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--sets", nargs="*", default=[], help="names of MedMNIST sets, or chests; all by default")
    p.add_argument("--threads", type=int, default=1)
    options = p.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for data in sets(options.sets):
        for row in rows_of(data, options.pairs, options.seeds):
            print(row, flush=True)
            rows.append(row)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
