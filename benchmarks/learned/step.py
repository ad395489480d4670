"""A training step of one diffeomorphic network at half resolution: pullback and `voxelmorph` 0.2, step by step in turn.

    PYTHON benchmarks/learned/step.py [--repeats 3] [--threads 1]

PYTHON as for mnist.py. Encoder 16-32-32-32, decoder 32-32-32-32-16, 7 squarings, mean square error, Adam; 256 x 256 in
batches of 8, 96 x 96 x 96 one by one. Prints the shortest step of each in CPU seconds.
"""

from __future__ import annotations

import argparse
import inspect
import os
import time

os.environ["NEURITE_BACKEND"] = os.environ["VXM_BACKEND"] = "pytorch"
if not hasattr(inspect, "getargspec"):  # removed from Python 3.11; the package asks for it
    inspect.getargspec = lambda function: inspect.getfullargspec(function)[:4]

import torch
import voxelmorph

from pullback.learn import VoxelMorph, warp

ENCODER, DECODER = [16, 32, 32, 32], [32, 32, 32, 32, 16]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--threads", type=int, default=1)
    options = p.parse_args()
    torch.set_num_threads(options.threads)
    for shape, batch in (((256, 256), 8), ((96, 96, 96), 1)):
        fixed, moving = torch.rand(2, batch, 1, *shape)
        theirs = voxelmorph.networks.VxmDense(
            shape, nb_unet_features=[ENCODER, DECODER], int_steps=7, int_downsize=2, unet_half_res=True
        )
        mine = VoxelMorph(1, len(shape), ENCODER, DECODER, integrate=7, half_resolution=True)
        if len(shape) == 2:
            mine = mine.to(memory_format=torch.channels_last)
        ways = {
            "voxelmorph": (theirs, lambda net=theirs, f=fixed, m=moving: net(m, f)[0]),
            "pullback": (mine, lambda net=mine, f=fixed, m=moving: warp(m, net(f, m).displacement)),
        }
        adams = {name: torch.optim.Adam(net.parameters(), 1e-4) for name, (net, _) in ways.items()}
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, (_, warped) in ways.items():
                began = time.process_time()
                adams[name].zero_grad()
                torch.nn.functional.mse_loss(warped(), fixed).backward()
                adams[name].step()
                seconds[name].append(time.process_time() - began)
        print(shape, batch, {name: round(min(times), 3) for name, times in seconds.items()}, flush=True)


if __name__ == "__main__":
    main()
