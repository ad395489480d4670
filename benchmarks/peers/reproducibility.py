"""Does pullback give the same answer again, on other numbers of threads, and with other instruction sets?

    python reproducibility.py PAIR WORK CSV

Registers one pair several times, each in a process of its own, and compares the transforms with the first one's.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
from run import commit, environment, machine
from task import Task
from with_pullback import command, convert

RUNS = (
    ("first", 2, ""),
    ("again", 2, ""),
    ("1 thread", 1, ""),
    ("baseline instructions", 2, "baseline"),
    ("AVX2", 2, "avx2"),
    ("AVX-512", 2, "avx512"),
)
COLUMNS = (
    "date", "machine", "commit", "pair", "kind", "run", "threads", "seconds", "identical", "largest_mm",
    "p99_mm", "mean_mm",
)  # fmt: skip


def has(instructions: str) -> bool:
    """Whether this processor knows them."""
    flags = Path("/proc/cpuinfo")
    word = {"avx512": "avx512bw"}.get(instructions, instructions)
    return instructions in ("", "baseline") or (flags.exists() and word in flags.read_text())


def displacement(task: Task, instructions: str) -> tuple[np.ndarray, float]:
    """(mm at each voxel, seconds)."""
    task.out.mkdir(parents=True, exist_ok=True)
    surroundings = os.environ | environment(task.threads) | ({"PULLBACK_ISA": instructions} if instructions else {})
    began = time.perf_counter()
    subprocess.run(command(task), check=True, env=surroundings)
    seconds = time.perf_counter() - began
    convert(task)
    return np.asanyarray(nib.load(task.path("displacement.nii")).dataobj), seconds


def main() -> None:
    pair, work, table = (Path(word) for word in sys.argv[1:4])
    first: np.ndarray | None = None
    fresh = not table.exists()
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        for name, threads, instructions in RUNS:
            if not has(instructions):
                continue
            task = Task(pair.resolve(), work.resolve() / name.replace(" ", "-"), "", threads, "")
            task = Task(task.pair, task.out, task.facts["kind"], threads, "")
            found, seconds = displacement(task, instructions)
            first = found if first is None else first
            far = np.linalg.norm(found - first, axis=-1)
            row = {"date": time.strftime("%Y-%m-%d %H:%M:%S"), "machine": machine(), "commit": commit()}
            row |= {"pair": pair.name, "kind": task.kind, "run": name, "threads": threads, "seconds": f"{seconds:.2f}"}
            row |= {"identical": bool((found == first).all()), "largest_mm": f"{far.max():.3g}"}
            row |= {"p99_mm": f"{np.percentile(far, 99):.3g}", "mean_mm": f"{far.mean():.3g}"}
            writer.writerow(row)
            file.flush()
            print(row)


if __name__ == "__main__":
    main()
