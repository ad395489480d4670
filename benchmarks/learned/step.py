"""A training step, step by step in turn: pullback, `voxelmorph` 0.2 and MONAI; and the most memory that each takes.

    PYTHON benchmarks/learned/step.py [--repeats 3] [--threads 1]

PYTHON as for mnist.py, with MONAI too if it shall be compared (both without their own torch: `pip install --no-deps`).
256 x 256 in batches of 8, 96 x 96 x 96 one by one; networks diffeomorphic, 7 squarings, Adam:

- half: encoder 16-32-32-32, decoder 32-32-32-32-16, velocity at half resolution, mean square error (`voxelmorph`).
- full: the same encoder, decoder 32-32-32-32-32-16, velocity at full resolution, LNCC in boxes of 9 voxels and bending
  energy: layer for layer `monai.networks.nets.VoxelMorph`.
- LocalNet: MONAI's own (16 features at first, levels 0 to 3), no integration, the same loss, beside pullback's "half".

CPU seconds are the shortest of the repeats. Memory is how far the largest resident size of a process of its own lies
above that before the first step (Linux). Parts are forward and backward, of one 3D image. Writes
benchmarks/results/learned_step.csv.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["NEURITE_BACKEND"] = os.environ["VXM_BACKEND"] = "pytorch"
if not hasattr(inspect, "getargspec"):  # removed from Python 3.11; the package asks for it
    inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]

import torch

from pullback.energy import LNCC, MSE, Bending, MutualInformation
from pullback.learn import Loss, PairBatch, VoxelMorph, warp
from pullback.learn.recipe import Training
from pullback.learn.state import State
from pullback.learn.train import laid_out
from pullback.space import Space

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "learned_step.csv"
ENCODER, HALF, FULL = [16, 32, 32, 32], [32, 32, 32, 32, 16], [32, 32, 32, 32, 32, 16]
SHAPES = {"2D": ((256, 256), 8), "3D": ((96, 96, 96), 1)}
RIVALS = {"half": "voxelmorph", "full": "monai", "LocalNet": "monai"}
Step = Callable[[], None]


def pullback_step(form: str, fixed: torch.Tensor, moving: torch.Tensor) -> Step:
    shape = tuple(fixed.shape[2:])
    full = form == "full"
    model = VoxelMorph(1, len(shape), ENCODER, FULL if full else HALF, integrate=7, half_resolution=not full)
    loss = Loss(MSE()) if form == "half" else Loss(LNCC(radius_voxels=4), Bending(), 0.1)
    state, space = State.start(laid_out(model), Training(learning_rate=1e-4)), Space.of_array(shape, 1.0)
    batch = PairBatch(fixed, moving)

    def step() -> None:
        total = sum(loss.terms(batch, model(fixed, moving), space).values())
        state.weights.whole.grad.zero_()
        total.backward()
        state.step(1e-4)

    return step


def voxelmorph_step(form: str, fixed: torch.Tensor, moving: torch.Tensor) -> Step:
    import voxelmorph

    model = voxelmorph.networks.VxmDense(
        tuple(fixed.shape[2:]), nb_unet_features=[ENCODER, HALF], int_steps=7, int_downsize=2, unet_half_res=True
    )
    return _stepped(model, lambda: torch.nn.functional.mse_loss(model(moving, fixed)[0], fixed))


def monai_step(form: str, fixed: torch.Tensor, moving: torch.Tensor) -> Step:
    from monai.losses import BendingEnergyLoss, LocalNormalizedCrossCorrelationLoss
    from monai.networks.blocks import Warp
    from monai.networks.nets import LocalNet, VoxelMorphUNet
    from monai.networks.nets import VoxelMorph as Theirs

    d = fixed.ndim - 2
    alike, bent = LocalNormalizedCrossCorrelationLoss(spatial_dims=d, kernel_size=9), BendingEnergyLoss()
    if form == "full":
        net = VoxelMorphUNet(d, 2, 32, (*ENCODER, 32, 32, 32, 32), (16,))
        model = Theirs(net, integration_steps=7, half_res=False, spatial_dims=d)
        run = lambda: model(moving, fixed)  # noqa: E731
    else:
        model, carry = LocalNet(d, 2, 16, (0, 1, 2, 3), out_channels=d), Warp()

        def run() -> tuple[torch.Tensor, torch.Tensor]:
            field = model(torch.cat([moving, fixed], dim=1))
            return carry(moving, field), field

    def loss() -> torch.Tensor:
        warped, field = run()
        return alike(warped, fixed) + 0.1 * bent(field)

    return _stepped(model, loss)


def _stepped(model: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Step:
    adam = torch.optim.Adam(model.parameters(), 1e-4)

    def step() -> None:
        adam.zero_grad()
        loss().backward()
        adam.step()

    return step


STEPS = {"pullback": pullback_step, "voxelmorph": voxelmorph_step, "monai": monai_step}


def images(size: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth ones: of noise no displacement makes anything alike."""
    torch.manual_seed(0)
    shape, batch = SHAPES[size]
    coarse = torch.rand(2 * batch, 1, *(n // 8 for n in shape))
    both = torch.nn.functional.interpolate(coarse, size=shape, mode="bilinear" if len(shape) == 2 else "trilinear")
    return both[:batch], both[batch:]


def shortest(ways: dict[str, Step], repeats: int) -> dict[str, float]:
    """CPU seconds of each, in turn; the first turn does not count."""
    best = dict.fromkeys(ways, float("inf"))
    for turn in range(repeats + 1):
        for name, step in ways.items():
            began = time.process_time()
            step()
            best[name] = min(best[name], time.process_time() - began) if turn else best[name]
    return best


def memory(who: str, form: str, size: str, threads: int) -> float:
    """MB, from a process of its own."""
    words = [sys.executable, "-W", "ignore", __file__, "--threads", str(threads), "--memory", who, form, size]
    return float(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[-1]))


def measure_memory(who: str, form: str, size: str) -> None:
    step = STEPS[who](form, *images(size))
    before = resident("VmRSS")
    for _ in range(2):
        step()
    print(json.dumps(resident("VmHWM") - before))


def resident(which: str) -> float:
    """MB of this process, now (VmRSS) or at most (VmHWM); Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))


def parts() -> dict[str, dict[str, Step]]:
    """What is not the network: forward and backward, beside MONAI."""
    from monai.losses import BendingEnergyLoss, GlobalMutualInformationLoss, LocalNormalizedCrossCorrelationLoss
    from monai.networks.blocks import DVF2DDF, Warp

    from pullback import ops

    fixed, moving = images("3D")
    field = torch.nn.functional.interpolate(torch.randn(1, 3, 6, 6, 6), size=fixed.shape[2:], mode="trilinear")
    space = Space.of_array(tuple(fixed.shape[2:]), 1.0)

    def backward(way: Callable[[torch.Tensor], torch.Tensor], start: torch.Tensor) -> Step:
        return lambda: way(start.detach().requires_grad_()).sum().backward()

    lncc, mutual, bending = LNCC(radius_voxels=4).on(space), MutualInformation().on(space), Bending()
    carry, flow, bent = Warp(), DVF2DDF(7), BendingEnergyLoss()
    alike, shared = LocalNormalizedCrossCorrelationLoss(kernel_size=9), GlobalMutualInformationLoss(num_bins=32)
    eye = torch.eye(3, dtype=torch.float64)
    pairs = {
        "warp": (lambda u: warp(moving, u), lambda u: carry(moving, u), field),
        "7 squarings": (lambda u: ops.exponential(u, eye, 7), flow, field),
        "LNCC": (lambda m: lncc.loss(fixed, m), lambda m: alike(m, fixed), moving),
        "mutual information": (lambda m: mutual.loss(fixed, m), lambda m: shared(m, fixed), moving),
        "bending energy": (lambda u: bending.loss(u[0], space), bent, field),
    }
    return {name: {"pullback": backward(ours, start), "monai": backward(theirs, start)}
            for name, (ours, theirs, start) in pairs.items()}  # fmt: skip


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    options = p.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        measure_memory(*options.memory)
        return
    rows: list[dict[str, object]] = []
    for size in SHAPES:
        for form, rival in RIVALS.items():
            if importlib.util.find_spec(rival) is None:
                continue
            found = shortest({who: STEPS[who](form, *images(size)) for who in ("pullback", rival)}, options.repeats)
            for who, seconds in found.items():
                row = {"size": size, "what": form, "who": who, "cpu_seconds": round(seconds, 3)}
                row["ratio"] = round(found["pullback"] / found[rival], 2) if who == "pullback" else ""
                rows.append(row | {"memory_mb": round(memory(who, form, size, options.threads))})
                print(rows[-1], flush=True)
    if importlib.util.find_spec("monai") is not None:
        for name, ways in parts().items():
            found = shortest(ways, options.repeats)
            for who, seconds in found.items():
                row = {"size": "3D", "what": name, "who": who, "cpu_seconds": round(seconds, 4)}
                row["ratio"] = round(found["pullback"] / found["monai"], 2) if who == "pullback" else ""
                rows.append(row | {"memory_mb": ""})
                print(rows[-1], flush=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
