"""Check and time the GPU path: every kernel against its definition, then whole registrations.

    python benchmarks/gpu.py [--device cuda] [--sizes 160x192x224 192x224x192] [--parts check time register profile]
        [--out FILE]

check: each row of the table of kernels on fresh random input, beside the reference in double precision on the same
device, and whether a second run gives the same bits. time: milliseconds of the GPU (between CUDA events) and of the
program (until a call returns, which may be sooner), medians over several sets of input, with the share of the copy
bandwidth that the tensors which must be read or written come to. register: the recipe `deformable` on a head made by
code, with a known warp, seconds after a first call that does not count. profile: what one registration spends its time
on, and how often the program starts a kernel or waits for the GPU.

Needs numpy, and scipy for the pairs of `benchmarks/peers` (without it a simpler head is made). With `--device cpu` and
small sizes it runs anywhere.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import pstats
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pullback as pb
from pullback import ops
from pullback.ops import _dispatch

PARTS = ("check", "time", "register", "profile")
COLUMNS = ("part", "size", "name", "row", "ms", "host_ms", "percent_of_copy", "error", "note")
COARSE = (40, 48, 56)
"""A coarse level, where starting a kernel takes longer than running it."""
REPEATS = 3

Shape = tuple[int, ...]
Found = list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One call: what it is given, what it gives, and how many volumes must be read or written for it.

    Attributes:
        name: the op first.
        call: tensors -> result.
        inputs: k -> the k-th set of tensors, single precision.
        wrt: which of them the gradient is taken in; None for the value alone.
        volumes: read or written, for each voxel.
        exact: whether every run must give the same bits.
    """

    name: str
    call: Callable[..., Any]
    inputs: Callable[[int], tuple[torch.Tensor, ...]]
    volumes: float
    wrt: int | None = None
    exact: bool = True

    def run(self, *tensors: torch.Tensor) -> torch.Tensor:
        if self.wrt is None:
            with torch.no_grad():
                return torch.as_tensor(self.call(*tensors))
        given = list(tensors)
        given[self.wrt] = given[self.wrt].detach().requires_grad_()
        value = self.call(*given)
        (gradient,) = torch.autograd.grad(value, given[self.wrt], _upstream(value))
        return gradient


def _upstream(value: torch.Tensor) -> torch.Tensor:
    """The same for every row and precision, and different everywhere."""
    if value.numel() == 1:
        return torch.ones_like(value)
    ramp = torch.arange(value.numel(), device=value.device, dtype=torch.float64)
    return (0.5 + (ramp * 0.618).frac()).to(value.dtype).view_as(value)


def cases(size: Shape, device: str) -> Iterator[Case]:
    """What a registration calls, on volumes of this size."""
    d = len(size)
    identity, mix = torch.eye(d, d + 1, dtype=torch.float64), torch.eye(d, dtype=torch.float64)
    turned = identity + 0.02 * torch.randn(d, d + 1, generator=torch.Generator().manual_seed(5), dtype=torch.float64)

    def random(*shape: int, seed: int) -> torch.Tensor:
        return torch.rand(*shape, generator=torch.Generator(device).manual_seed(seed), device=device)

    def image(seed: int) -> torch.Tensor:
        with torch.no_grad(), ops.use_kernels("reference"):
            smooth = ops.smooth(random(1, 1, *size, seed=seed), [1.5] * d)
        return (smooth - smooth.min()) / (smooth.max() - smooth.min())

    def field(seed: int, most: float = 4.0) -> torch.Tensor:
        with torch.no_grad(), ops.use_kernels("reference"):
            coarse = 2 * random(1, d, *[max(2, n // 16) for n in size], seed=seed) - 1
            return most * ops.resize(coarse, size).contiguous()

    def both(k: int) -> tuple[torch.Tensor, ...]:
        return image(k), field(k + 100)

    def pair(k: int) -> tuple[torch.Tensor, ...]:
        return image(k), 0.7 * image(k) + 0.3 * image(k + 50)

    def read(i: torch.Tensor, u: torch.Tensor, **options: Any) -> torch.Tensor:
        return ops.sample(i, turned, u, mix, **options)

    def of_matrix(i: torch.Tensor, u: torch.Tensor, m: torch.Tensor) -> torch.Tensor:
        return ops.sample(i, m, u, mix)

    yield Case("sample", read, both, 2 + d)
    yield Case("sample outside", partial(read, outside=0.0), both, 2 + d)
    yield Case("sample nearest", partial(read, interpolation="nearest"), both, 2 + d)
    yield Case("sample matrix", lambda i: ops.sample(i, turned, shape=size), lambda k: (image(k),), 2)
    yield Case("sample of field", lambda u: ops.sample(u, turned, shape=size), lambda k: (field(k),), 2 * d)
    yield Case("sample + gradient field", read, both, 5 + 2 * d, wrt=1)
    yield Case("sample + gradient image", read, both, 5 + 2 * d, wrt=0)
    yield Case("sample + gradient matrix", of_matrix, lambda k: (*both(k), turned.clone()), 3 + 2 * d, wrt=2)
    yield Case("inside", lambda u: ops.inside(size, turned, u, mix), lambda k: (field(k),), d + 1)
    yield Case("compose", lambda a, b: ops.compose(a, b, mix, 0.7), lambda k: (field(k), field(k + 9, 0.5)), 3 * d)
    yield Case("compose + gradient inner", lambda a, b: ops.compose(a, b, mix), lambda k: (field(k), field(k + 9)),
               6 * d, wrt=1)  # fmt: skip
    for sigma in (0.5, 2.75):
        yield Case(f"smooth {sigma}", partial(ops.smooth, sigma_voxels=[sigma] * d), lambda k: (field(k),), 2 * d)
    yield Case("smooth 2.0 of image", partial(ops.smooth, sigma_voxels=[2.0] * d), lambda k: (image(k),), 2)
    for radius in (2, 4):
        box = (radius,) * d
        yield Case(f"lncc {radius}", partial(ops.lncc, radius_voxels=box), pair, 2)
        yield Case(f"lncc {radius} + gradient", partial(ops.lncc, radius_voxels=box), pair, 3, wrt=1)
    yield Case("lncc 2 weighted + gradient", lambda f, w, m: ops.lncc(f, w, (2,) * d, m),
               lambda k: (*pair(k), random(1, 1, *size, seed=k)), 4, wrt=1)  # fmt: skip
    yield Case("joint_histogram", partial(ops.joint_histogram, bins=32), pair, 2)
    yield Case("joint_histogram + gradient", partial(ops.joint_histogram, bins=32), pair, 5, wrt=1)
    yield Case("sampled_histogram", lambda f, m, u: ops.sampled_histogram(f, m, 32, turned, u, mix),
               lambda k: (*pair(k), field(k)), 2 + d)  # fmt: skip
    yield Case("sampled_histogram + gradient", lambda f, m, u, t: ops.sampled_histogram(f, m, 32, t, u, mix),
               lambda k: (*pair(k), field(k), turned.clone()), 4 + 2 * d, wrt=3)  # fmt: skip
    few = tuple((n + 1) // 2 for n in size)
    yield Case("sample_coarse", lambda i, u: ops.sample_coarse(i, turned, u, mix, size),
               lambda k: (image(k), ops.resize(field(k), few).contiguous()), 2 + d / 8)  # fmt: skip
    yield Case("force_coarse", lambda w, g: ops.force_coarse(w, g, mix, few), pair, 2 + d / 8)
    yield Case("force", lambda w, g: ops.force(w, g, mix), pair, 2 + d)
    yield Case("largest", lambda u: ops.largest(u[0]), lambda k: (field(k),), d)
    yield Case("mse + gradient", ops.mse, pair, 5, wrt=1)
    yield Case("ncc + gradient", ops.ncc, pair, 5, wrt=1)
    yield Case("exponential 6", lambda v: ops.exponential(v, mix, 6), lambda k: (field(k),), 12 * d)
    yield Case("jacobian", lambda u: ops.jacobian(u, mix), lambda k: (field(k),), d + 1)
    yield Case("resize", lambda i: ops.resize(i, tuple(n // 2 for n in size)), lambda k: (image(k),), 1.1)


def rows_of(case: Case, fast: str) -> tuple[str, ...]:
    """The rows that there are to compare: those of ops made of others count as fast where these are."""
    rows = _dispatch.ROWS[case.name.split()[0]]
    composed = case.name.split()[0] in ("exponential", "resize")
    return (fast, "reference") if fast in rows or composed else ("reference",)


def forced(row: str) -> Any:
    return ops.use_kernels("reference") if row == "reference" else nullcontext()


def check(size: Shape, device: str, fast: str) -> Found:
    """How far each row is from the definition in double precision, relative to the largest value."""
    found: Found = []
    for case in cases(size, device):
        given = case.inputs(1)
        with ops.use_kernels("reference"):
            expected = case.run(*(t.double() for t in given)).double()
        for row in rows_of(case, fast):
            try:
                with forced(row), ops.recorded() as log:
                    one, two = (case.run(*given) for _ in range(2))
            except Exception as error:  # the rest still counts
                found.append({"part": "check", "size": size, "name": case.name, "row": row, "note": repr(error)[:300]})
                continue
            scale = max(float(expected.abs().max()), 1e-12)
            off = (one.double() - expected).abs() / scale
            note = log.get(case.name.split()[0], "")
            if not torch.equal(one, two):
                note += ", differs from run to run" + ("" if not case.exact else ": WRONG")
            wrong = float((off > 1e-4).double().mean())
            note += f", {100 * wrong:.2g} % of values off by more than 1e-4" if wrong else ""
            found.append({"part": "check", "size": size, "name": case.name, "row": row, "error": float(off.max()),
                          "note": note})  # fmt: skip
    return found


def timed(call: Callable[[int], Any], device: str, runs: int) -> tuple[float, float]:
    """Median milliseconds of the GPU and of the program."""
    for k in range(3):
        call(k)
    if not device.startswith("cuda"):
        host = []
        for k in range(runs):
            began = time.perf_counter()
            call(k)
            host.append(1e3 * (time.perf_counter() - began))
        return statistics.median(host), statistics.median(host)
    torch.cuda.synchronize()
    host, events = [], []
    for k in range(runs):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began = time.perf_counter()
        start.record()
        call(k)
        stop.record()
        host.append(1e3 * (time.perf_counter() - began))
        events.append((start, stop))
    torch.cuda.synchronize()
    return statistics.median(a.elapsed_time(b) for a, b in events), statistics.median(host)


def copy_speed(size: Shape, device: str) -> float:
    """Bytes per second, read and written, of copying a field of this size."""
    a, b = torch.rand(3, *size, device=device), torch.empty(3, *size, device=device)
    ms, _ = timed(lambda k: b.copy_(a), device, 20)
    return 2 * 4 * a.numel() / (ms * 1e-3)


def kernels(size: Shape, device: str, fast: str, sets: int = 3) -> Found:
    """Times of every case and row."""
    speed = copy_speed(size, device)
    found: Found = [{"part": "time", "size": size, "name": "copy", "row": "torch", "note": f"{speed / 1e9:.0f} GB/s"}]
    for case in cases(size, device):
        given = [case.inputs(k) for k in range(sets)]
        roof = 1e3 * case.volumes * 4 * float(np.prod(size)) / speed
        for row in rows_of(case, fast):
            entry: dict[str, Any] = {"part": "time", "size": size, "name": case.name, "row": row}
            try:
                with forced(row):
                    runs = 20 if row != "reference" and device.startswith("cuda") else 6
                    ms, host = timed(lambda k, c=case, g=given: c.run(*g[k % len(g)]), device, runs)
            except Exception as error:
                found.append({**entry, "note": repr(error)[:300]})
                continue
            found.append({**entry, "ms": ms, "host_ms": host, "percent_of_copy": 100 * roof / ms})
    return found


def simple_pair(shape: Shape, device: str) -> tuple[np.ndarray, ...]:
    """(fixed, moving, warp in voxels (d, *shape), mask): a head with less in it, for machines without scipy."""
    d = len(shape)
    generator = torch.Generator().manual_seed(3)
    place = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in shape], indexing="ij")
    radius = sum((p / 0.8) ** 2 for p in place).sqrt().to(device)[None, None]

    def texture(sigma: float) -> torch.Tensor:
        few = [max(4, round(n / (2 * sigma))) for n in shape]
        rough = ops.resize(torch.randn(1, 1, *few, generator=generator).to(device), shape)
        return (rough - rough.mean()) / rough.std()

    with torch.no_grad(), ops.use_kernels("reference"):
        soft = [torch.sigmoid(60 * (edge - radius)) for edge in (0.98, 0.92, 0.87)]
        folds = torch.sigmoid(6 * (texture(4.0).abs() - 0.5))
        base = 0.8 * (soft[0] - soft[1]) + 0.1 * (soft[1] - soft[2]) + soft[2] * (0.5 + 0.4 * folds)
        base = base + soft[2] * (0.04 * texture(1.5) + 0.05 * texture(8.0))
        control = torch.randn(1, d, *[max(5, n // 24) for n in shape], generator=generator).to(device)
        warp = ops.resize(control, shape) * torch.sigmoid(20 * (0.95 - radius))
        warp = warp * (0.036 * min(shape) / warp.norm(dim=1).max())
        identity, mix = torch.eye(d, d + 1, dtype=torch.float64), torch.eye(d, dtype=torch.float64)
        fixed = ops.sample(base, identity, warp, mix, interpolation="linear")
        mask = ops.sample((radius < 1).float(), identity, warp, mix) > 0.5
        noise = [0.02 * torch.randn(shape, generator=generator).to(device) for _ in range(2)]
    images = [(i[0, 0] + n).cpu().numpy() for i, n in zip((fixed, base), noise, strict=True)]
    return (*images, warp[0].cpu().numpy(), mask[0, 0].cpu().numpy())


def peers_pair(shape: Shape) -> tuple[np.ndarray, ...]:
    """The pair of `benchmarks/peers`, which needs scipy; made in a process of its own."""
    sys.path.insert(0, str(Path(__file__).parent / "peers"))
    from pairs import synthetic

    return synthetic(shape)


def pair_of(shape: Shape, ahead: Future[Any] | None, device: str) -> tuple[str, tuple[np.ndarray, ...]]:
    if ahead is not None:
        try:
            return "the pair of benchmarks/peers", ahead.result()
        except Exception as error:
            print(f"no pair of benchmarks/peers: {error!r}")
    return "a simpler head", simple_pair(shape, device)


def warp_error(result: Any, warp: np.ndarray, mask: np.ndarray) -> float:
    """Mean distance in voxels from the known warp within the object."""
    space = result.fixed.space
    field = result.transform.displace(space).cpu().float()
    voxels = torch.einsum("ij,j...->i...", space.inverse[:-1, :-1].float(), field)
    return float((voxels - torch.from_numpy(warp)).norm(dim=0)[torch.from_numpy(mask)].mean())


@contextmanager
def eager(wanted: bool) -> Iterator[None]:
    """Without recording steps to replay them, where wanted."""
    from pullback.ops import _replay

    before = _replay.FIRST
    _replay.FIRST = 1 << 30 if wanted else before
    yield
    _replay.FIRST = before


def registrations(shape: Shape, pair: tuple[str, tuple[np.ndarray, ...]], device: str, fast: str) -> Found:
    """Whole registrations by each set of rows."""
    what, (fixed, moving, warp, mask) = pair
    found: Found = []
    before = float(np.linalg.norm(warp, axis=0)[mask].mean())
    images = [image.astype(np.float32) for image in (fixed, moving)]
    fields = {}
    for row, repeats in ((fast, REPEATS), ("eager", 1), ("reference", 1)):
        if row == "eager" and not device.startswith("cuda"):
            continue
        seconds = []
        with forced(row), eager(row == "eager"):
            began = time.perf_counter()
            result = pb.register(*images, recipe="deformable", device=device)
            first = time.perf_counter() - began
            if device.startswith("cuda"):
                torch.cuda.reset_peak_memory_stats()
            for _ in range(repeats):
                began = time.perf_counter()
                result = pb.register(*images, recipe="deformable", device=device)
                seconds.append(time.perf_counter() - began)
        same = ""
        if row == fast:
            again = pb.register(*images, recipe="deformable", device=device)
            two = [r.transform.displace(result.fixed.space) for r in (result, again)]
            same = f"same bits again: {torch.equal(*two)}; "
        fields[row] = result.transform.displace(result.fixed.space)
        if row == "eager":
            same = f"same bits as replayed: {torch.equal(fields[row], fields[fast])}; "
        peak = torch.cuda.max_memory_allocated() / 2**30 if device.startswith("cuda") else float("nan")
        stages = ", ".join(f"{o.stage} {o.seconds:.3f}" for o in result.outcomes)
        steps = "; ".join("+".join(str(len(level.losses)) for level in o.history) for o in result.outcomes)
        last = result.outcomes[-1].kernels
        note = (f"{what}; {same}{result.status.name}; first {first:.2f} s; stages (s): {stages}; steps {steps}; "
                f"peak {peak:.2f} GiB; error before {before:.3f}; last stage by {last}")  # fmt: skip
        found.append({"part": "register", "size": shape, "name": "deformable", "row": row,
                      "ms": 1e3 * statistics.median(seconds), "host_ms": 1e3 * min(seconds),
                      "error": warp_error(result, warp, mask), "note": note})  # fmt: skip
        print(line(found[-1]), flush=True)
    return found


def host(device: str) -> Found:
    """What small things cost the program, microseconds."""
    small, few = torch.eye(3, dtype=torch.float64), torch.zeros(9, 6, 6, dtype=torch.float64)
    table, number = torch.zeros(32, 32), torch.zeros((), device=device)
    there = torch.zeros(32, 32, device=device)
    volume = torch.zeros(1, 3, 24, 24, 24, device=device)
    graph = ops.Replayed(lambda v: (v + 1,))
    calls = {
        "add two 3 x 3": lambda: small + small,
        "exp of a 3 x 3": lambda: torch.linalg.matrix_exp(small),
        "exp of nine 6 x 6": lambda: torch.linalg.matrix_exp(few),
        "4 KB to the device": lambda: table.to(device),
        "4 KB from the device": lambda: there.cpu(),
        "a number from the device": lambda: float(number),
        "add on the device": lambda: there + there,
        "smooth 24^3": lambda: ops.smooth(volume, [1.0] * 3),
        "a recorded addition": lambda: graph(there),
    }
    found: Found = []
    for name, call in calls.items():
        for _ in range(20):
            call()
        began = time.perf_counter()
        for _ in range(200):
            call()
        found.append({"part": "host", "size": (200,), "name": name, "row": "",
                      "host_ms": (time.perf_counter() - began) * 5,
                      "note": f"{torch.get_num_threads()} threads"})  # fmt: skip
    return found


def profile(shape: Shape, pair: tuple[str, tuple[np.ndarray, ...]], device: str) -> Found:
    """What one registration does."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    fixed, moving = (image.astype(np.float32) for image in pair[1][:2])
    cuda = device.startswith("cuda")
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    began = time.perf_counter()
    with profiled(activities=activities) as seen:
        pb.register(fixed, moving, recipe="deformable", device=device)
    wall = time.perf_counter() - began
    program = cProfile.Profile()
    program.enable()
    pb.register(fixed, moving, recipe="deformable", device=device)
    program.disable()
    for order in ("tottime", "cumtime"):
        pstats.Stats(program).sort_stats(order).print_stats(35)
    events = seen.key_averages()
    order = "self_device_time_total" if cuda else "self_cpu_time_total"
    print(f"\nprofile of one registration of {text(shape)}: {wall:.2f} s under the profiler")
    print(events.table(sort_by=order, row_limit=25, max_name_column_width=60))
    print(events.table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=60))
    counts = {e.key: e.count for e in events}
    names = ("cudaLaunchKernel", "cuLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernelEx", "cudaMemcpyAsync",
             "cudaStreamSynchronize", "cudaDeviceSynchronize", "aten::_local_scalar_dense", "aten::item",
             "aten::copy_")  # fmt: skip
    gpu = sum(getattr(e, "self_device_time_total", 0.0) for e in events) / 1e3
    note = ", ".join(f"{name} {counts[name]}" for name in names if name in counts)
    return [{"part": "profile", "size": shape, "name": "deformable", "row": "all", "ms": gpu, "host_ms": 1e3 * wall,
             "note": f"ms is the GPU's busy time; {note}"}]  # fmt: skip


def text(size: Shape) -> str:
    return "x".join(map(str, size))


def line(entry: dict[str, Any]) -> str:
    numbers = [f"{entry[name]:10.4g}" if name in entry else " " * 10 for name in COLUMNS[4:8]]
    return f"{entry['part']:8s} {text(entry['size']):12s} {entry['name']:27s} {entry['row']:9s} {' '.join(numbers)}  " \
           f"{entry.get('note', '')}"  # fmt: skip


def ahead_of_time(sizes: list[Shape]) -> tuple[ProcessPoolExecutor | None, dict[Shape, Future[Any]]]:
    """Pairs made in other processes while the kernels are timed."""
    try:
        import scipy  # noqa: F401 - only whether it is there
    except ImportError:
        return None, {}
    pool = ProcessPoolExecutor(len(sizes), mp_context=get_context("spawn"))
    return pool, {size: pool.submit(peers_pair, size) for size in sizes}


def main() -> None:  # noqa: C901 - one part after the other
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", nargs="+", default=["160x192x224", "192x224x192", "256x256"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--check-size", default="61x70x83")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    sizes = [tuple(map(int, size.split("x"))) for size in given.sizes]
    device, cuda = given.device, given.device.startswith("cuda")
    fast = "cuda" if cuda else "cpu"
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if cuda else 'CPU'}")
    print(*(f"{r.op} {r.row}: {r.reason}" for r in ops.explain() if r.row == fast and not r.live), sep="\n")
    wanted = set(given.parts)
    pool, ahead = ahead_of_time(sizes) if wanted & {"register", "profile"} else (None, {})
    found: Found = []

    def add(entries: Found) -> None:
        found.extend(entries)
        for entry in entries:
            print(line(entry), flush=True)
        if given.out:
            write(given.out, found)

    began = time.perf_counter()
    if "check" in wanted:
        add(check(tuple(map(int, given.check_size.split("x"))), device, fast))
        print(f"checked after {time.perf_counter() - began:.0f} s", flush=True)
    if "time" in wanted:
        for size in (*(s for s in sizes if len(s) == 3), *([COARSE] if cuda else [])):
            add(kernels(size, device, fast))
        print(f"timed after {time.perf_counter() - began:.0f} s", flush=True)
    for number, size in enumerate(sizes if wanted & {"register", "profile"} else []):
        pair = pair_of(size, ahead.get(size), device)
        print(f"the pair of {text(size)} is there after {time.perf_counter() - began:.0f} s", flush=True)
        if "register" in wanted:
            add(registrations(size, pair, device, fast))
        if "profile" in wanted and number == 0:
            add(host(device))
            add(profile(size, pair, device))
    if pool:
        pool.shutdown()
    print(f"\nall, after {time.perf_counter() - began:.0f} s (ms, host ms, % of copy, error):")
    print(*map(line, found), sep="\n")


def write(path: Path, found: Found) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for entry in found:
            cells = {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in entry.items()}
            writer.writerow({**cells, "size": text(entry["size"])})


if __name__ == "__main__":
    main()
