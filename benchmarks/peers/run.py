"""Time whole processes, one at a time, from the start of a program to its end.

    python run.py PAIRS WORK --tools pullback greedy greedy:r4 ants [--only REGEX] [--threads 2] [--repeats 3]

PAIRS is a folder that `pairs.py` filled; results and a `run.json` for each run go to WORK/PAIR/TOOL/REPEAT, where
`score.py` finds them. What is there already is not run again. Tools take turns (all once, then all again), every tool
is told the number of threads, and each is first run once on a tiny pair, not recorded, so that its files are in memory.

A process reads the pair and writes its transform. Seconds are of the wall; the peak of memory is the largest resident
set of the process or of any that it started. This one keeps itself small, because Linux counts a parent's memory in its
child's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "tools"))
import with_pullback  # noqa: E402 - the tools' folder is not a package: each script runs in its own environment
from task import Task  # noqa: E402

SCRIPTS = ("pullback", "greedy", "ants", "elastix", "simpleitk", "dipy", "fireants", "convexadam")
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "NUMBA_NUM_THREADS",
)


def python_of(script: str) -> str:
    """The interpreter of a tool: PEERS_PYTHON_<TOOL>, or the one in PEERS_ENVIRONMENTS/<tool> (default: .bench)."""
    if script == "pullback":
        return sys.executable
    home = Path(os.environ.get("PEERS_ENVIRONMENTS", ".bench")).absolute()
    return os.environ.get(f"PEERS_PYTHON_{script.upper()}") or str(home / script / "bin" / "python")


def environment(threads: int) -> dict[str, str]:
    return {name: str(threads) for name in THREADS} | {"PYTHONWARNINGS": "ignore"}


def machine() -> str:
    """What this machine is, in words."""
    model = platform.machine()
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":")[1].strip()
            break
    memory = [int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    gigabytes = f", {memory[0] / 1e6:.0f} GB" if memory else ""
    return f"{model}, {len(os.sched_getaffinity(0))} cores{gigabytes}, {platform.system()}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def commit() -> str:
    words = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    found = subprocess.run(words, capture_output=True, text=True)
    return found.stdout.strip()


def words_for(tool: str, what: str, task: Task) -> list[str]:
    script, _, variant = tool.partition(":")
    if script == "pullback" and what == "register":
        return with_pullback.command(task)
    words = [python_of(script), str(HERE / "tools" / f"with_{script}.py"), what, str(task.pair), str(task.out)]
    return [*words, "--kind", task.kind, "--threads", str(task.threads), "--variant", variant]


def timed(words: list[str], folder: Path, threads: int, most_seconds: float) -> dict:
    """Run a program; how long it took, how much memory, how it ended."""
    with (folder / "log.txt").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, stdout=log, stderr=subprocess.STDOUT, env=os.environ | environment(threads), cwd=folder
        )
        alarm = threading.Timer(most_seconds, process.kill)
        alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        late = not alarm.is_alive()
        alarm.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    state = "done" if process.returncode == 0 else "too late" if late else "failed"
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "status": state,
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu, 2),
        "peak_mb": round(usage.ru_maxrss * 1024 / 1e6, 1),
    }


def run(tool: str, pair: Path, out: Path, given: argparse.Namespace, version: str, repeat: int) -> dict:
    """One run, from a clean folder to its run.json."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    facts = json.loads((pair / "pair.json").read_text())
    kind = given.kind or facts["kind"]
    task = Task(pair.resolve(), out.resolve(), kind, given.threads, tool.partition(":")[2])
    words = words_for(tool, "register", task)
    for path in pair.iterdir():  # the pair into the file cache
        path.read_bytes() if path.name.startswith(("fixed", "moving")) else None
    record = {
        "date": time.strftime("%Y-%m-%d %H:%M:%S"),
        "machine": given.machine,
        "commit": given.commit,
        "pair": pair.name,
        "folder": str(pair.resolve()),
        "group": facts["group"],
        "kind": kind,
        "shape": "x".join(map(str, facts["shape"])),
        "voxels": int(_product(facts["shape"])),
        "tool": tool,
        "version": version,
        "threads": given.threads,
        "load": round(os.getloadavg()[0], 2),
        "repeat": repeat,
        "convert": words_for(tool, "convert", task),
        "environment": environment(given.threads),
    }
    record |= timed(words, out, given.threads, given.most_seconds)
    (out / "run.json").write_text(json.dumps(record, indent=1) + "\n")
    if repeat:  # the first one is judged; the others are for the clock
        for path in out.iterdir():
            if path.name not in ("run.json", "log.txt"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return record


def _product(shape: list[int]) -> int:
    voxels = 1
    for n in shape:
        voxels *= n
    return voxels


def usable(tools: list[str]) -> dict[str, str]:
    """{tool: version} of those that are installed."""
    versions = {}
    for tool in tools:
        script = tool.partition(":")[0]
        if script not in SCRIPTS:
            sys.exit(f"there is no tool {script!r}; choose from {', '.join(SCRIPTS)}")
        words = [python_of(script), str(HERE / "tools" / f"with_{script}.py"), "version"]
        try:
            versions[tool] = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            print(f"{tool} is left out: {words[0]} cannot run it (make bench-peers installs it)")
    return versions


def warm_up(tools: list[str], given: argparse.Namespace) -> None:
    tiny = given.work / "warm-up"
    words = [sys.executable, str(HERE / "pairs.py"), str(tiny), "synthetic", "48", "48", "--name", "pair"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    for tool in tools:
        run(tool, tiny / "pair", tiny / "out", given, "", 0)
    shutil.rmtree(tiny)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time whole processes, one at a time.")
    parser.add_argument("pairs", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--tools", nargs="+", default=list(SCRIPTS))
    parser.add_argument("--only", default="", help="a regular expression for names of pairs")
    parser.add_argument("--kind", help="another kind of registration than the pair's own")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--cold", action="store_true", help="without the run on a tiny pair beforehand")
    parser.add_argument("--most-seconds", type=float, default=3600)
    return parser.parse_args()


def main() -> None:
    given = parse()
    given.machine, given.commit = machine(), commit()
    pairs = sorted(p.parent for p in given.pairs.glob("*/pair.json") if re.search(given.only, p.parent.name))
    if not pairs:
        sys.exit(f"no pair in {given.pairs} has a name like {given.only!r}; make some with pairs.py")
    versions = usable(given.tools)
    todo = []
    for pair in pairs:
        for repeat in range(given.repeats):
            for tool in versions:
                name = f"{repeat}" if given.threads == 2 else f"{repeat}_threads{given.threads}"
                out = given.work / pair.name / tool.replace(":", "-") / name
                if not (out / "run.json").exists():
                    todo.append((tool, pair, out, repeat))
    if todo and not given.cold:
        warm_up(list(dict.fromkeys(tool for tool, *_ in todo)), given)
    for tool, pair, out, repeat in todo:
        record = run(tool, pair, out, given, versions[tool], repeat)
        line = f"{record['seconds']:9.2f} s {record['peak_mb']:8.0f} MB"
        print(f"{pair.name:28s} {tool:20s} {repeat} {record['status']:8s} {line}", flush=True)


if __name__ == "__main__":
    main()
