"""The whole comparison, or steps of it, in the order of their worth.

    python compare.py [STEP ...] [--size 192 224 192] [--repeats 3] [--threads 2] [--quick]

Steps: pairs, synthetic, brain_warp, linear, labelled, sizes, threads, bits, inside, slow, score, page; by default
all but `slow` (ANTs and the other slow tools on the large pair). Every step but `pairs`, `score` and
`page` times something: run those on an otherwise idle machine. What was run before is not run again.

--quick: a small pair, few sizes, one repeat; its results go to .bench/quick and not to benchmarks/results.
Folders: PEERS_WORK (default .bench), PULLBACK_TEST_DATA for real images (default ../shared/data).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STEPS = "pairs synthetic brain_warp linear labelled sizes threads bits inside slow score page".split()  # noqa: SIM905
FAST = ("pullback", "greedy")
VARIANTS = ("greedy:float", "greedy:r4", "pullback:100x50x10")
OTHERS = ("ants:default", "elastix", "simpleitk", "dipy")
SLOW = ("ants:default", "elastix", "simpleitk", "dipy", "ants:mid", "ants")


def python(script: str, *words: object) -> None:
    line = [sys.executable, str(HERE / script), *map(str, words)]
    print("$", " ".join([script, *map(str, words)]), flush=True)
    subprocess.run(line, check=True)


class Comparison:
    """Where everything lies, and the steps.

    Attributes:
        given: the command line.
        size: the large synthetic pair.
        cubes: edges of the pairs that show how cost grows.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        home = Path(os.environ.get("PEERS_WORK", ROOT / ".bench")).absolute()
        self.given = given
        self.size: list[int] = [64, 64, 64] if given.quick else given.size
        self.cubes = (40, 48, 64) if given.quick else (64, 96, 128, 160, 192, 256)
        self.small = 48 if given.quick else 128
        self.repeats = 1 if given.quick else given.repeats
        self.work = home / ("quick" if given.quick else "full")
        self.large = self.work / "pairs" / f"synthetic_{'x'.join(map(str, self.size))}"
        self.results = self.work / "results" if given.quick else ROOT / "benchmarks" / "results"
        self.data = os.environ.get("PULLBACK_TEST_DATA", ROOT.parent / "shared" / "data")

    def run(self, pairs: str, only: str, tools: tuple[str, ...], repeats: int, threads: int | None = None) -> None:
        if not list((self.work / pairs).glob("*/pair.json")):
            return
        out = self.work / ("grown" if pairs == "cubes" else "out")
        options = ["--only", only, "--repeats", repeats, "--threads", threads or self.given.threads]
        python("run.py", self.work / pairs, out, "--tools", *tools, *options)

    def has(self, pattern: str) -> bool:
        return bool(list((self.work / "pairs").glob(pattern)))

    def pairs(self) -> None:
        python("pairs.py", self.work / "pairs", "synthetic", *self.size)
        for n in self.cubes:
            python("pairs.py", self.work / "cubes", "synthetic", n, n, n)
        if not self.given.quick and not self.has("oasis_*"):
            python("pairs.py", self.work / "pairs", "real", "--data", self.data)

    def synthetic(self) -> None:
        self.run("pairs", "^synthetic_", FAST, self.repeats)
        self.run("pairs", "^synthetic_", VARIANTS, 1)
        if self.given.quick:
            self.run("pairs", "^synthetic_", OTHERS, 1)

    def brain_warp(self) -> None:
        if self.has("brain_warp"):
            self.run("pairs", "^brain_warp$", (*FAST, "greedy:float"), 1)

    def linear(self) -> None:
        if self.has("brain_*"):
            self.run("pairs", "^brains?_(rigid|affine)$", (*FAST, "ants:default", "elastix", "simpleitk"), 1)

    def labelled(self) -> None:
        for only, tools in (("^(oasis|cardiac)_", (*FAST, *OTHERS)), ("^brains$", FAST)):
            if self.has("oasis_*"):
                self.run("pairs", only, tools, 1)

    def sizes(self) -> None:
        self.run("cubes", "^synthetic_", FAST, 1)
        few = "|".join(f"{n}x{n}x{n}" for n in self.cubes if n <= self.small)
        self.run("cubes", f"_({few})$", ("ants:default", "simpleitk", "dipy", "elastix"), 1)

    def threads(self) -> None:
        self.run("pairs", "^synthetic_", ("pullback",), 1, threads=1)

    def bits(self) -> None:
        table = self.results / "reproducibility.csv"
        python("reproducibility.py", self.large, self.work / "bits", table)

    def inside(self) -> None:
        words = ["--size", 64, "--frames", 3, "--repeats", 1] if self.given.quick else []
        python("in_process.py", self.results / "in_process.csv", *words)

    def slow(self) -> None:
        for tool in SLOW:
            self.run("pairs", "^synthetic_", (tool,), 1)

    def score(self) -> None:
        python("score.py", self.work / "out", self.results / "peers.csv")
        python("score.py", self.work / "grown", self.results / "sizes.csv")

    def page(self) -> None:
        words = ["--results", self.results]
        if self.given.quick:
            page = self.work / "docs" / "benchmarks.md"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text((ROOT / "docs" / "benchmarks.md").read_text())
            words += ["--page", page, "--pictures", page.parent / "images"]
        python("page.py", *words, "--large", self.large.name)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--size", type=int, nargs="+", default=[192, 224, 192])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    unknown = [step for step in given.steps if step not in STEPS]
    if unknown:
        sys.exit(f"there is no step {unknown[0]!r}; choose from {', '.join(STEPS)}")
    comparison = Comparison(given)
    for step in given.steps or [step for step in STEPS if step != "slow"]:
        getattr(comparison, step)()


if __name__ == "__main__":
    main()
