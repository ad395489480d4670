"""The tutorial's training on handwritten fives: pullback and the `voxelmorph` package, in turn, on one machine.

    PULLBACK_DATA=folder python benchmarks/learned/mnist.py --peer PYTHON [--repeats 3] [--threads 1]

PYTHON is an interpreter that can import voxelmorph 0.2 (whose `VxmDense` the tutorials use) with its torch backend.
Both see the same pictures: 28 x 28 padded to 32 x 32, Adam at 0.001, 200 epochs of 5 steps of one pair; the same 500
test pairs. Each run is a process of its own, of which only the loop is timed. "smooth" is swift-2d with integrate=5 and
0.01 x Diffusion. Writes benchmarks/results/learned_mnist.csv.
"""

from __future__ import annotations

import argparse
import csv
import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "results" / "learned_mnist.csv"
OURS = ("voxelmorph-2d", "swift-2d", "swift-2d smooth")
EPOCHS, STEPS = 200, 5


def worker(what: str, arrays: str, seed: int, threads: int) -> dict[str, float]:
    """One training, in a process of its own."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    np.random.seed(seed)
    with np.load(arrays) as file:
        train, fixed, moving = (file[name] for name in ("train", "fixed", "moving"))
    warped, displacement, wall, cpu = (voxelmorph if what == "voxelmorph" else ours)(what, train, fixed, moving, seed)
    slopes = np.stack([np.gradient(displacement[:, c], axis=(1, 2)) for c in (0, 1)])  # component, axis, pair, ...
    volume = (1 + slopes[0, 0]) * (1 + slopes[1, 1]) - slopes[0, 1] * slopes[1, 0]
    return {
        "wall_seconds": wall,
        "cpu_seconds": cpu,
        "test_mse": float(((warped - fixed) ** 2).mean()),
        "fold_percent": float(100 * (volume <= 0).mean()),
    }


def voxelmorph(what, train, fixed, moving, seed):
    """The package's own network and the loop of its tutorial."""
    if not hasattr(inspect, "getargspec"):  # removed from Python 3.11; the package asks for it
        inspect.getargspec = lambda f: inspect.getfullargspec(f)[:4]
    os.environ["NEURITE_BACKEND"] = os.environ["VXM_BACKEND"] = "pytorch"
    import numpy as np
    import torch
    import voxelmorph as vxm

    del what, seed
    model = vxm.networks.VxmDense(
        inshape=train.shape[1:], nb_unet_features=[[32, 32, 32], [32, 32, 32, 32, 16]], int_steps=0, int_downsize=2
    )
    adam, compare = torch.optim.Adam(model.parameters(), lr=1e-3), torch.nn.MSELoss()
    clock, process = time.perf_counter(), time.process_time()
    for _ in range(EPOCHS):
        losses = []
        for _ in range(STEPS):
            pair = [train[np.random.randint(0, len(train), size=1)][..., None] for _ in range(2)]
            first, second = (torch.from_numpy(each).float().permute(0, 3, 1, 2) for each in pair)
            loss = compare(second, model(first, second)[0])
            losses.append(loss.item())
            adam.zero_grad()
            loss.backward()
            adam.step()
    wall, cpu = time.perf_counter() - clock, time.process_time() - process
    model.eval()
    with torch.no_grad():
        tensors = [torch.from_numpy(each)[:, None] for each in (moving, fixed)]
        warped, displacement = model(*tensors, registration=True)
    return warped[:, 0].numpy(), displacement.numpy(), wall, cpu


def ours(what, train, fixed, moving, seed):
    """A training recipe of pullback by these names."""
    from dataclasses import replace

    import torch

    from pullback.energy import Diffusion
    from pullback.learn import Dataset, Pairs, training, warp
    from pullback.learn import train as learn

    pairs = Pairs(torch.from_numpy(train)[:, None], (1.0, 1.0))
    recipe = training(what.split()[0])
    how = replace(recipe.training, seed=seed, validate_every=EPOCHS, validation_pairs=2)
    assert (how.epochs, how.steps, how.batch, how.learning_rate) == (EPOCHS, STEPS, 1, 1e-3)
    if what.endswith("smooth"):
        smooth = replace(recipe.loss, regulariser=Diffusion(), regulariser_weight=0.01)
        recipe = replace(recipe, loss=smooth, network=replace(recipe.network, integrate=5))
    clock, process = time.perf_counter(), time.process_time()
    trained = learn(replace(recipe, training=how), Dataset("fives", pairs, pairs, pairs))
    wall, cpu = time.perf_counter() - clock, time.process_time() - process
    with torch.no_grad():
        tensors = [torch.from_numpy(each)[:, None] for each in (fixed, moving)]
        displacement = trained.model(*tensors).displacement
        warped = warp(tensors[1], displacement)
    return warped[:, 0].numpy(), displacement.numpy(), wall, cpu


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--peer", default=None)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--worker", nargs=3, default=None, help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.worker:
        what, arrays, seed = options.worker
        print(json.dumps(worker(what, arrays, int(seed), options.threads)))
        return
    import numpy as np

    from pullback.learn import mnist

    data = mnist(5)
    chosen = data.test.batch(data.test.some(500))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        arrays = str(Path(folder) / "fives.npz")
        np.savez(arrays, train=data.train.images[:, 0], fixed=chosen.fixed[:, 0], moving=chosen.moving[:, 0])
        identity = float(((chosen.fixed - chosen.moving) ** 2).mean())
        for seed in range(options.repeats):
            for what in (("voxelmorph",) if options.peer else ()) + OURS:
                python = options.peer if what == "voxelmorph" else sys.executable
                words = [
                    python,
                    "-W",
                    "ignore",
                    __file__,
                    "--threads",
                    str(options.threads),
                    "--worker",
                    what,
                    arrays,
                    str(seed),
                ]
                said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
                row = {"what": what, "seed": seed, "threads": options.threads, "identity_mse": identity} | json.loads(
                    said
                )
                rows.append({name: f"{v:.4g}" if isinstance(v, float) else v for name, v in row.items()})
                print(rows[-1], flush=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
