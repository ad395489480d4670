"""The tutorial's training on handwritten fives: pullback and the `voxelmorph` package, epoch by epoch in turn.

    PULLBACK_DATA=folder PYTHON benchmarks/learned/mnist.py [--repeats 3] [--threads 1]

PYTHON is an interpreter that can import pullback and voxelmorph 0.2, whose `VxmDense` the tutorials use, with its torch
backend; without voxelmorph only pullback runs. All see the same pictures: 28 x 28 padded to 32 x 32, Adam at 0.001, 200
epochs of 5 steps of one pair, and are judged on the same 500 test pairs. They take turns after each epoch, and a clock
runs only during one's own turn, so that other work on the machine slows all of them alike. "smooth" is swift-2d with
integrate=5 and 0.01 x Diffusion. Writes benchmarks/results/learned_mnist.csv.
"""

from __future__ import annotations

import argparse
import csv
import inspect
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ["NEURITE_BACKEND"] = os.environ["VXM_BACKEND"] = "pytorch"
if not hasattr(inspect, "getargspec"):  # removed from Python 3.11; the package asks for it
    inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]

import numpy as np
import torch

from pullback.energy import Diffusion
from pullback.evaluate.deformation import jacobian_map
from pullback.learn import Dataset, PairBatch, mnist, stay, train, training, warp

try:
    import voxelmorph
except ImportError:
    voxelmorph = None

RESULTS = Path(__file__).parents[1] / "results" / "learned_mnist.csv"
OURS = ("voxelmorph-2d", "swift-2d", "swift-2d smooth")
EPOCHS, STEPS = 200, 5


class Turns:
    """Lets one of several trainings run at a time, each for an epoch, and clocks each."""

    def __init__(self, names: list[str]) -> None:
        self.order, self.condition, self.began = list(names), threading.Condition(), (0.0, 0.0)
        self.clocks = dict.fromkeys(names, (0.0, 0.0))

    def take(self, name: str) -> None:
        with self.condition:
            self.condition.wait_for(lambda: self.order[0] == name)
        self.began = time.perf_counter(), time.process_time()

    def give(self, name: str, last: bool = False) -> None:
        now = time.perf_counter(), time.process_time()
        self.clocks[name] = tuple(c + n - b for c, n, b in zip(self.clocks[name], now, self.began, strict=True))
        with self.condition:
            self.order = self.order[1:] + ([] if last else [name])
            self.condition.notify_all()


def package(data: Dataset, tick: Callable[[], None]) -> Callable[[PairBatch], tuple[torch.Tensor, torch.Tensor]]:
    """The package's own network and the loop of its tutorial."""
    pictures = data.train.images[:, 0].numpy()
    model = voxelmorph.networks.VxmDense(
        inshape=pictures.shape[1:], nb_unet_features=[[32, 32, 32], [32, 32, 32, 32, 16]], int_steps=0, int_downsize=2
    )
    adam, compare = torch.optim.Adam(model.parameters(), lr=1e-3), torch.nn.MSELoss()
    for _ in range(EPOCHS):
        losses = []
        for _ in range(STEPS):
            pair = [pictures[np.random.randint(0, len(pictures), size=1)][..., None] for _ in range(2)]
            first, second = (torch.from_numpy(each).float().permute(0, 3, 1, 2) for each in pair)
            loss = compare(second, model(first, second)[0])
            losses.append(loss.item())
            adam.zero_grad()
            loss.backward()
            adam.step()
        tick()
    model.eval()
    return lambda batch: model(batch.moving, batch.fixed, registration=True)


def ours(name: str, seed: int, data: Dataset, tick: Callable[[], None]):
    """A training recipe of pullback."""
    recipe = training(name.split()[0])
    how = replace(recipe.training, seed=seed, validate_every=EPOCHS, validation_pairs=2)
    assert (how.epochs, how.steps, how.batch, how.learning_rate) == (EPOCHS, STEPS, 1, 1e-3)
    if name.endswith("smooth"):
        smooth = replace(recipe.loss, regulariser=Diffusion(), regulariser_weight=0.01)
        recipe = replace(recipe, loss=smooth, network=replace(recipe.network, integrate=5))
    model = train(replace(recipe, training=how), data, watch=lambda progress: tick()).model

    def answer(batch: PairBatch) -> tuple[torch.Tensor, torch.Tensor]:
        displacement = model(batch.fixed, batch.moving).displacement
        return warp(batch.moving, displacement), displacement

    return answer


def race(seed: int, data: Dataset, shown: PairBatch) -> list[dict[str, object]]:
    """Every training once, in turn, and what it came to."""
    names = (["voxelmorph"] if voxelmorph is not None else []) + list(OURS)
    turns, answers = Turns(names), {}

    def one(name: str) -> None:
        turns.take(name)
        torch.manual_seed(seed)
        np.random.seed(seed)

        def tick() -> None:
            turns.give(name)
            turns.take(name)

        answers[name] = package(data, tick) if name == "voxelmorph" else ours(name, seed, data, tick)
        turns.give(name, last=True)

    threads = [threading.Thread(target=one, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = []
    for name in names:
        with torch.no_grad():
            warped, displacement = answers[name](shown)
        folds = [(jacobian_map(field, data.test.space) <= 0).float().mean() for field in in_mm(displacement, data)]
        rows.append({
            "what": name,
            "seed": seed,
            "wall_seconds": round(turns.clocks[name][0], 2),
            "cpu_seconds": round(turns.clocks[name][1], 2),
            "test_mse": round(float(((warped - shown.fixed) ** 2).mean()), 5),
            "fold_percent": round(100 * float(torch.stack(folds).mean()), 2),
        })  # fmt: skip
    return rows


def in_mm(displacement: torch.Tensor, data: Dataset) -> torch.Tensor:
    return torch.einsum("ij,bj...->bi...", data.test.space.linear.float(), displacement)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    options = p.parse_args()
    torch.set_num_threads(options.threads)
    data = mnist(5)
    shown = data.test.batch(data.test.some(500))
    print("mse before", round(float(((warp(shown.moving, stay(shown)) - shown.fixed) ** 2).mean()), 5))
    rows = []
    for seed in range(options.repeats):
        rows += race(seed, data, shown)
        for row in rows[-4:]:
            print(row, flush=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
