"""What prepared scans that are kept save: a folder of volumes, read without a cache, into one, and out of one.

    python benchmarks/learned/cache.py [--scans 12] [--threads 1]

Volumes of 160 x 160 x 96 voxels with labels, gzipped NIfTI of int16, laid on a grid of 2 mm. The cache is read with its
pages in memory, as they are after it was made. Prints wall and CPU seconds.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

import pullback as pb
from pullback.learn import Cache, Grid, all_pairs
from pullback.space import Space


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--scans", type=int, default=12)
    p.add_argument("--threads", type=int, default=1)
    options = p.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scans").mkdir()
        space = Space.of_array((96, 160, 160), (1.5, 1.2, 1.2))
        for k in range(options.scans):
            coarse = torch.rand(1, 1, 12, 20, 20, generator=torch.Generator().manual_seed(k))
            data = torch.nn.functional.interpolate(coarse, size=space.shape, mode="trilinear")[0]
            noisy = (1000 * data + 20 * torch.randn(data.shape)).round()
            pb.write_image(pb.Image(noisy, space), folder / "scans" / f"{k}.nii.gz")
            pb.write_image(pb.Labels((data[0] > 0.6).int(), space), folder / "scans" / f"{k}_seg.nii.gz")
        caches = {"without": None, "into": Cache(folder / "cache"), "out of": Cache(folder / "cache")}
        for what, cache in caches.items():
            began = time.perf_counter(), time.process_time()
            pairs = all_pairs(folder / "scans", grid_of=Grid((2.0, 2.0, 2.0)), cache=cache)
            pairs.batch([1])
            now = time.perf_counter(), time.process_time()
            print(what, [round(b - a, 3) for a, b in zip(began, now, strict=True)], cache or "", flush=True)


if __name__ == "__main__":
    main()
