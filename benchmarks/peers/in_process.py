"""Seconds of small work inside a running program: a 2-D pair, and a cine of 30 frames tracked from its first.

    python in_process.py CSV [--size 256] [--frames 30] [--threads 1 2] [--repeats 5]

The first call of a process loads libraries; it is made beforehand and not counted. Each time is of whole calls of
`pullback.register`, with their preparation and their measures of quality.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from pairs import synthetic
from run import commit, machine

import pullback as pb
from pullback.phantom import beating_heart, heart_space
from pullback.registration import recipes

COLUMNS = (
    "date", "machine", "commit", "task", "recipe", "threads", "repeats", "median_seconds", "least_seconds",
    "error_mean_voxels", "before_mean_voxels",
)  # fmt: skip


def in_voxels(field: torch.Tensor, space: pb.Space) -> torch.Tensor:
    """A displacement in mm along world axes as steps along the grid's axes."""
    mix = space.inverse[:-1, :-1].to(field.dtype)
    return torch.einsum("ij,j...->i...", mix, field)


def flat_pair(
    size: int, threads: int, linear: bool
) -> tuple[str, Callable[[], list[torch.Tensor]], list[torch.Tensor]]:
    """(recipe, the work, errors before) of one 2-D pair with a known warp; the work gives errors in voxels."""
    fixed, moving, warp, mask = synthetic((size, size))
    recipe = recipes.named("deformable")
    if not linear:
        recipe = replace(recipe, name="deformable, no linear stage", stages=(recipe.dense,))
    truth, inside = torch.from_numpy(warp), torch.from_numpy(mask)
    images = [image.astype(np.float32) for image in (fixed, moving)]

    def work() -> list[torch.Tensor]:
        result = pb.register(*images, recipe=recipe, threads=threads)
        found = in_voxels(result.transform.displace(result.fixed.space), result.fixed.space)
        return [(found - truth).norm(dim=0)[inside]]

    return recipe.name, work, [truth.norm(dim=0)[inside]]


def cine(size: int, frames: int, threads: int) -> tuple[str, Callable[[], list[torch.Tensor]], list[torch.Tensor]]:
    """The same for every later frame of a beating heart, each registered with the first; errors within the heart."""
    space = heart_space(2, (size, size), (320 / size, 320 / size))
    heart = beating_heart(frames, space=space)
    inside = heart.labels[0].data > 0
    truths = [heart.displacement(t).field for t in range(1, frames)]

    def work() -> list[torch.Tensor]:
        errors = []
        for t in range(1, frames):
            result = pb.register(heart.frames[0], heart.frames[t], recipe="cardiac-sax", threads=threads)
            off = in_voxels(result.transform.displace(space) - truths[t - 1], space)
            errors.append(off.norm(dim=0)[inside])
        return errors

    return "cardiac-sax", work, [in_voxels(truth, space).norm(dim=0)[inside] for truth in truths]


def tracked(size: int, frames: int, threads: int) -> tuple[str, Callable[[], list[torch.Tensor]], list[torch.Tensor]]:
    """The same frames, tracked together."""
    space = heart_space(2, (size, size), (320 / size, 320 / size))
    heart = beating_heart(frames, space=space)
    inside = heart.labels[0].data > 0
    truths = [heart.displacement(t).field for t in range(1, frames)]

    def work() -> list[torch.Tensor]:
        result = pb.track(heart.frames, threads=threads)
        found = [transform.displace(space) for transform in result.transforms[1:]]
        off = [in_voxels(field - truth, space) for field, truth in zip(found, truths, strict=True)]
        return [error.norm(dim=0)[inside] for error in off]

    return "cine", work, [in_voxels(truth, space).norm(dim=0)[inside] for truth in truths]


def measure(work: Callable[[], list[torch.Tensor]], repeats: int) -> tuple[list[float], float]:
    """(seconds of each repeat, mean error)."""
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        errors = work()
        seconds.append(time.perf_counter() - began)
    return seconds, float(torch.cat(errors).mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("csv", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    fresh = not given.csv.exists()
    given.csv.parent.mkdir(parents=True, exist_ok=True)
    with given.csv.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        size = f"{given.size} x {given.size}"
        for threads in given.threads:
            tasks = {
                f"{size} pair, deformable alone": flat_pair(given.size, threads, linear=False),
                f"{size} pair, affine and deformable": flat_pair(given.size, threads, linear=True),
                f"{given.frames} frames of {size}": cine(given.size, given.frames, threads),
                f"{given.frames} frames of {size}, tracked": tracked(given.size, given.frames, threads),
            }
            for name, (recipe, work, before) in tasks.items():
                seconds, error = measure(work, given.repeats)
                row = {"date": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine(), "commit": commit()}
                row |= {"task": name, "recipe": recipe, "threads": threads, "repeats": given.repeats}
                row |= {"median_seconds": f"{statistics.median(seconds):.4f}", "least_seconds": f"{min(seconds):.4f}"}
                row |= {
                    "error_mean_voxels": f"{error:.4f}",
                    "before_mean_voxels": f"{float(torch.cat(before).mean()):.4f}",
                }
                writer.writerow(row)
                file.flush()
                print(row)


if __name__ == "__main__":
    main()
