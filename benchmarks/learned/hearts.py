"""Networks under one equal budget on drawn hearts, then a long training of the best: what made the shipped `heart-2d`.

    PYTHONPATH=src python benchmarks/learned/hearts.py --out OUT [--seconds 560] [--device cuda] [--batch 64] [--seed 0]

Pairs are drawn on the device as they are needed (`pullback.learn.HeartDrawing`), so that none is seen twice. Every
candidate has the same wall time on the same device; they are judged by Dice on drawn pairs that are kept back and on
the beating hearts of `pullback.phantom`, which other formulas draw. Writes log.jsonl, candidates.safetensors, and the
weights of the long training and of an affine network with their cards. If time runs out, what there is is written.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from hearts_learner import Learner

from pullback.errors import TrainingError
from pullback.learn import (
    Card,
    HeartDrawing,
    Network,
    PairBatch,
    PairNetwork,
    Pairs,
    Training,
    TrainingRecipe,
    cine,
    measure,
    save_weights,
    stay,
    training,
)
from pullback.learn.data.hearts import paired
from pullback.learn.data.pairs import mixed
from pullback.learn.measure import by
from pullback.learn.tensors import write_tensors
from pullback.registration import recipe_file

PYRAMID = training("pyramid-2d").network
VOXELMORPH = replace(training("diffeomorphic-2d").network, bidirectional=False)
CANDIDATES = {
    "voxelmorph": VOXELMORPH,
    "voxelmorph-wide": replace(VOXELMORPH, encoder=(16, 32, 48, 64, 64), decoder=(64, 64, 48, 32, 32, 16)),
    "swift": replace(training("swift-2d").network, integrate=5),
    "pyramid": replace(PYRAMID, correlation=0),
    "pyramid-correlation": PYRAMID,
    "pyramid-correlation-affine": replace(PYRAMID, affine=True),
}
AFFINE_SHARE, CANDIDATES_SHARE = 0.07, 0.38
KEPT_BACK = 1_000_000
RESERVE = 10.0
"""Seconds for each evaluation and for writing."""


@dataclass
class Bench:
    """One run of this script."""

    out: Path
    device: torch.device
    batch: int
    pooled: int
    rate: float
    seed: int
    deadline: float
    drawing: HeartDrawing
    held: dict[str, Pairs]
    written: dict[str, Any]
    precision: str
    graphs: bool
    still: dict[str, Any]

    def log(self, **line: Any) -> None:
        line = {"clock": round(time.perf_counter() - START, 1), **line}
        print(json.dumps(line), flush=True)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def judged(self, model: PairNetwork) -> dict[str, Any]:
        """Figures on what is kept back, by name."""
        model = model.eval()
        return {name: measure(by(model), pairs, range(len(pairs)), 64) for name, pairs in self.held.items()}

    def train(self, name: str, network: Network, seconds: float, look_every: float | None = None) -> PairNetwork:
        """The running average of the weights after so many seconds, or at the deadline."""
        began, spent, looked, total = time.perf_counter(), 0.0, 0.0, 0.0
        pool, each = self.pool(0), max(1, self.pooled // self.batch)
        torch.manual_seed(self.seed)
        learner = self.learner(network, part(pool, 0, self.batch))
        seconds = min(seconds, self.deadline - began - RESERVE)
        while spent < seconds:
            if learner.taken and learner.taken % each == 0:
                total += float(learner.loss)
                if not math.isfinite(total):
                    raise TrainingError(f"the loss is not finite after {learner.taken} steps")
                pool = self.pool(learner.taken // each)
            rise = min(1.0, (learner.taken + 1) / 100)
            rate = rise * self.rate * 0.5 * (1 + math.cos(math.pi * spent / seconds))
            learner.step(part(pool, (learner.taken % each) * self.batch, self.batch), rate)
            spent = time.perf_counter() - began
            if look_every and spent - looked > look_every and seconds - spent > 15:
                looked = spent
                self.keep(name, learner.averaged(), learner.taken, spent, float(learner.loss))
        return self.keep(name, learner.averaged(), learner.taken, spent, float(learner.loss))

    def learner(self, network: Network, first: PairBatch) -> Learner:
        """A new network that learns, as a graph if that can be."""
        if self.graphs:
            try:
                return Learner(network, first, self.drawing.spacing_mm[0], self.precision, graph=True)
            except Exception as error:
                self.graphs = False
                self.log(graphs=f"{type(error).__name__}: {error}"[:500])
                torch.cuda.synchronize()
                torch.manual_seed(self.seed)
        return Learner(network, first, self.drawing.spacing_mm[0], self.precision, graph=False)

    def loss_of(self, network: Network) -> Any:
        return training("affine-2d" if network.form == "AffineNetwork" else "pyramid-2d").loss

    def pool(self, number: int) -> PairBatch:
        return self.drawing.draw(self.batch * max(1, self.pooled // self.batch), mixed(self.seed, number), self.device)

    def keep(self, name: str, model: PairNetwork, steps: int, spent: float, loss: float) -> PairNetwork:
        """Judge and write; the same name is written over."""
        figures = self.judged(model)
        score = self.score(figures)
        count = sum(p.numel() for p in model.parameters())
        self.log(name=name, steps=steps, seconds=round(spent, 1), loss=loss, score=score, parameters=count, **figures)
        self.written[name] = {"score": score, "figures": figures, "steps": steps, "seconds": spent, "model": model}
        if name in ("heart_2d", "heart_affine_2d"):
            save_weights(
                copy.deepcopy(model).to("cpu", memory_format=torch.contiguous_format),
                self.card(name, model),
                self.out / f"{name}.safetensors",
            )
        return model

    def score(self, figures: dict[str, Any]) -> float:
        """Mean Dice of what is drawn and of what beats."""
        return float(sum(each["dice"] for each in figures.values()) / len(figures))

    def card(self, name: str, model: PairNetwork) -> Card:
        done = self.written[name]
        network = Network.of(model)
        how = Training(
            epochs=1,
            steps=done["steps"],
            batch=self.batch,
            learning_rate=self.rate,
            decay="cosine",
            warm_up=100,
            clip=1.0,
            average=0.998,
            precision=self.precision,
            seed=self.seed,
        )
        recipe = TrainingRecipe(
            name.replace("_", "-"), "benchmarks/learned/hearts.py", network, self.loss_of(network), how
        )
        notes = {
            "recipe": recipe_file.to_dict(recipe),
            "seconds": round(done["seconds"]),
            "device": device_name(self.device),
            "data": {"from": "phantom:hearts, drawn on the device", "drawing": asdict(self.drawing), "seed": self.seed},
        }
        drawn, beating = (done["figures"][key] for key in ("drawn", "cine"))
        metrics = {
            "identity": self.still["cine"],
            "model": beating,
            "drawn": {"identity": self.still["drawn"], "model": drawn},
        }
        return Card(
            network,
            self.drawing.spacing_mm,
            self.drawing.shape,
            "phantom hearts, drawn without end",
            "Apache-2.0 (made by pullback)",
            metrics,
            notes,
        )


def part(pool: PairBatch, start: int, count: int) -> PairBatch:
    chosen = slice(start, start + count)
    return PairBatch(
        pool.fixed[chosen],
        pool.moving[chosen],
        pool.fixed_labels[chosen],
        pool.moving_labels[chosen],
        pool.truth[chosen],
    )


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--seconds", type=float, default=560.0)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--pool", type=int, default=512, help="pairs drawn at once")
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--side", type=int, default=128)
    p.add_argument("--held", type=int, default=192)
    p.add_argument("--no-graphs", action="store_true")
    p.add_argument("--only", nargs="*", help="these candidates; the last one is trained long if it is the only one")
    options = p.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True  # convolutions; small matrices stay exact
    torch.set_num_threads(min(torch.get_num_threads(), 16))
    shape, spacing = (options.side, options.side), (192 / options.side, 192 / options.side)
    drawing = HeartDrawing(shape, spacing)
    subjects = max(1, options.held // 16)
    held = {
        "drawn": paired(drawing, options.held, mixed(options.seed, KEPT_BACK)),
        "cine": cine(2, (1, 1, subjects), shape, spacing, seed=777).test,
    }
    still = {name: measure(stay, pairs, range(len(pairs)), 64) for name, pairs in held.items()}
    device = torch.device(options.device)
    bench = Bench(
        options.out,
        device,
        options.batch,
        options.pool,
        options.rate,
        options.seed,
        START + options.seconds,
        drawing,
        held,
        {},
        "bfloat16" if device.type == "cuda" else "float32",
        device.type == "cuda" and not options.no_graphs,
        still,
    )
    bench.log(device=device_name(device), torch=torch.__version__, **still)
    chosen = options.only or list(CANDIDATES)
    left = bench.deadline - time.perf_counter() - RESERVE * (len(chosen) + 2)
    share = CANDIDATES_SHARE if len(chosen) > 1 else 0.0
    for name in chosen if share else ():
        attempt(bench, name, CANDIDATES[name], left * share / len(chosen))
        if bench.graphs and bench.written.get(name, {"score": 0.0})["score"] < bench.score(still) + 0.02:
            bench.graphs = False
            bench.log(graphs="nothing was learned; step by step from now on")
            attempt(bench, name, CANDIDATES[name], left * share / len(chosen))
        write_candidates(bench)
    scores = {name: bench.written[name]["score"] for name in chosen if name in bench.written} or {chosen[-1]: 0.0}
    best = max(scores, key=lambda name: scores[name])
    bench.log(best=best, scores=scores)
    attempt(bench, "heart_affine_2d", training("affine-2d").network, left * AFFINE_SHARE)
    attempt(bench, "heart_2d", CANDIDATES[best], left, look_every=60.0)
    bench.log(finished=True)


def attempt(bench: Bench, name: str, network: Network, seconds: float, look_every: float | None = None) -> None:
    """Train; what fails is told, and the rest goes on."""
    began = time.perf_counter()
    try:
        bench.train(name, network, seconds, look_every)
    except Exception as error:
        bench.log(name=name, failed=f"{type(error).__name__}: {error}"[:500])
        left = seconds - (time.perf_counter() - began)
        if (bench.precision != "float32" or bench.graphs) and left > seconds / 2:
            bench.precision, bench.graphs = "float32", False
            attempt(bench, name, network, left, look_every)


def write_candidates(bench: Bench) -> None:
    """The weights of all candidates so far in one file, their descriptions beside them."""
    tensors, networks = {}, {}
    for name, done in bench.written.items():
        networks[name] = Network.of(done["model"]).to_dict()
        tensors |= {f"{name}/{key}": value.contiguous() for key, value in done["model"].state_dict().items()}
    write_tensors(bench.out / "candidates.safetensors", tensors, {"networks": networks})


START = time.perf_counter()

if __name__ == "__main__":
    main()
