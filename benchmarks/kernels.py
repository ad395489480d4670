"""Time every row of the table of kernels, and compare with the machine's copy bandwidth.

    python benchmarks/kernels.py [--size 192 224 192] [--threads 1 2] [--rows cpu reference] [--csv FILE]

Medians of several runs. GB/s counts each tensor that a kernel must read or write once, so 100 % of the copy would be a
kernel that does nothing but move its data. Results take the memory of those before them, as in the loop of a
registration. The field moves voxels by up to 11, with slopes of about 0.12. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from pullback import ops
from pullback.ops import _dispatch

COLUMNS = ("kernel", "row", "ms", "GB/s", "percent of copy", "size", "threads")


def cases(size: tuple[int, ...]) -> dict[str, tuple[Callable[[], object], int, int]]:
    """{name: (call, volumes of `size` that must be read, volumes written)}, with the op's name first."""
    d = len(size)
    generator = torch.Generator().manual_seed(0)
    fixed, moving = (ops.smooth(torch.rand(1, 1, *size, generator=generator), [2.0] * d) for _ in range(2))
    smooth = torch.randn(1, d, *[max(2, n // 24) for n in size], generator=generator) * 3
    field = ops.resize(smooth, size).contiguous()
    identity, mix = torch.eye(d, d + 1, dtype=torch.float64), torch.eye(d, dtype=torch.float64)

    def backward(call: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor) -> None:
        at = at.detach().requires_grad_()
        value = call(at)
        torch.autograd.grad(
            value,
            at,
            moving.expand_as(value) if value.ndim > 1 and value.shape == moving.shape else torch.ones_like(value),
        )

    def read(u: torch.Tensor) -> torch.Tensor:
        return ops.sample(moving, identity, u, mix)

    def cubic(u: torch.Tensor) -> torch.Tensor:
        return ops.sample(moving, identity, u, mix, interpolation="cubic")

    fifth = torch.eye(d, d + 1, dtype=torch.float64) / 5
    fifth[:, -1] = 1.1
    control = torch.randn(1, d, *[math.ceil(n / 5) + 3 for n in size], generator=generator)
    few = tuple(max(1, n // 3) for n in size)  # places, far apart, and descriptors half as fine as the volume
    places, coarse = ops.resize(field, few).contiguous() / 2, tuple(max(1, n // 2) for n in size)
    features, there = (ops.abreast(torch.rand(1, 12, *s, generator=generator)) for s in (coarse, few))
    apart = 1.5 * identity
    vectors = ops.resize(field, coarse)
    return {
        "sample": (lambda: ops.sample(moving, identity, field, mix), d + 1, 1),
        "sample + gradient": (lambda: backward(read, field), 2 * d + 3, d + 1),
        "sample + image gradient": (
            lambda: backward(lambda image: ops.sample(image, identity, field, mix), moving), 2 * d + 3, 3
        ),
        "sample nearest": (lambda: ops.sample(moving, identity, field, mix, interpolation="nearest"), d + 1, 1),
        "sample cubic": (lambda: cubic(field), d + 1, 1),
        "sample cubic + gradient": (lambda: backward(cubic, field), 2 * d + 3, d + 1),
        "sample_coarse": (lambda: ops.sample_coarse(moving, identity, vectors, mix, size), 1 + d / 2**d, 1),
        "force_coarse": (lambda: ops.force_coarse(fixed, moving, mix, coarse), 2, d / 2**d),
        "inside": (lambda: ops.inside(size, identity, field, mix), d, 1),
        "compose": (lambda: ops.compose(field, field, mix), 2 * d, d),
        "compose + gradient": (lambda: backward(lambda u: ops.compose(u, u, mix), field), 5 * d, 4 * d),
        "exponential 6": (lambda: ops.exponential(field, mix, 6), 6 * d, 6 * d),
        "exponential 6 + gradient": (
            lambda: backward(lambda v: ops.exponential(v, mix, 6), field), 6 * 4 * d, 6 * 3 * d
        ),
        "smooth 1.0": (lambda: ops.smooth(field, [1.0] * d), d, d),
        "smooth 2.5": (lambda: ops.smooth(field, [2.5] * d), d, d),
        "largest": (lambda: ops.largest(field[0]), d, 0),
        "lncc 2 + gradient": (lambda: backward(lambda w: ops.lncc(fixed, w, (2,) * d), moving), 2, 1),
        "lncc 4 + gradient": (lambda: backward(lambda w: ops.lncc(fixed, w, (4,) * d), moving), 2, 1),
        "joint_histogram + gradient": (
            lambda: backward(lambda w: ops.joint_histogram(fixed, w, 32), moving), 4, 1
        ),
        "mind": (lambda: ops.mind(moving, (1,) * d, (2,) * d), 1, 12 if d == 3 else 4),
        "ffd + gradient": (lambda: backward(lambda c: ops.ffd(c, size, (0.2,) * d, (1.1,) * d), control), d, d),
        "ffd_sample + gradient": (
            lambda: backward(lambda c: ops.ffd_sample(c, fifth, field, mix / 5), control), 3 * d, d
        ),
        "sampled_mse 12 + gradient": (
            lambda: backward(lambda u: ops.sampled_mse(there, features, apart, u, mix), places), 2, 0
        ),
        "jacobian": (lambda: ops.jacobian(field, mix), d, 1),
        "resize": (lambda: ops.resize(moving, tuple(n // 2 for n in size)), 1, 0),
    }  # fmt: skip


def median_seconds(call: Callable[[], object], most_seconds: float = 5.0, most_runs: int = 9) -> float:
    """The median wall time of a few runs after one that does not count."""
    call()
    times: list[float] = []
    while len(times) < 3 or (sum(times) < most_seconds and len(times) < most_runs):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def measured(size: tuple[int, ...], threads: int, rows: list[str]) -> list[tuple[str | float, ...]]:
    """A line for each kernel and row, as `COLUMNS` has them; each is told as soon as it is known."""
    torch.set_num_threads(threads)
    volume = 4e-9 * math.prod(size)
    a, b = torch.rand(size), torch.empty(size)
    copy = 2 * volume / median_seconds(lambda: b.copy_(a))
    shown = "x".join(map(str, size))
    print(f"{shown} float32, {threads} thread(s), copy {copy:.1f} GB/s")
    found: list[tuple[str | float, ...]] = []
    for name, (call, reads, writes) in cases(size).items():
        for row in (row for row in rows if row in _dispatch.ROWS[name.split()[0]]):
            with ops.use_kernels(row), ops.reused(), torch.set_grad_enabled("gradient" in name):
                seconds = median_seconds(call)
            speed = (reads + writes) * volume / seconds
            part = 100 * speed / copy
            found.append((name, row, f"{seconds * 1e3:.4g}", f"{speed:.4g}", f"{part:.4g}", shown, threads))
            print(f"{name:28s} {row:10s} {seconds * 1e3:9.1f} ms {speed:7.1f} GB/s {part:5.0f} % of copy", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[192, 224, 192])
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    parser.add_argument("--rows", nargs="+", default=["cpu", "reference"])
    parser.add_argument("--csv", type=Path, help="add the lines to this file, in the place of older ones")
    options = parser.parse_args()
    found = [line for n in options.threads for line in measured(tuple(options.size), n, options.rows)]
    if options.csv:
        keep(found, options.csv)


def keep(found: list[tuple[str | float, ...]], path: Path) -> None:
    """Write the lines, and those that the file holds of other kernels, rows, sizes or numbers of threads."""
    new = {(line[0], line[1], line[5], str(line[6])) for line in found}
    with path.open(newline="", encoding="utf-8") if path.exists() else io.StringIO() as file:
        old = [line for line in list(csv.reader(file))[1:] if (line[0], line[1], line[5], line[6]) not in new]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([*old, *found])


if __name__ == "__main__":
    sys.exit(main())
