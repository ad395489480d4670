"""pullback train: train a network that registers."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pullback.cli.options import Parser, UsageError, file, whole
from pullback.cli.prepared import add_cache

if TYPE_CHECKING:
    from pullback.learn import Progress
    from pullback.learn.train import ProgressWatch

EXAMPLES = """
pullback train data.csv --recipe diffeomorphic-3d --out run/
pullback train --dataset mnist:5 --recipe voxelmorph-2d --out run/ --download
pullback train --dataset phantom:cine --recipe diffeomorphic-2d --out run/ --steps 2000
pullback train --resume run/
pullback train --show diffeomorphic-2d > mine.yaml
torchrun --nproc-per-node 2 -m pullback train data.csv --recipe mine.yaml --out run/
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback train", "Train a network on pairs of scans. It writes model.safetensors (the best weights)\n"
               "with its card model.json, checkpoint.safetensors, log.jsonl and pictures.", EXAMPLES,
               usage="pullback train DATA --recipe NAME|FILE.yaml --out DIR [options]")  # fmt: skip
    p.add_argument("data", metavar="DATA", nargs="?", help="a CSV file (columns fixed,moving or image; perhaps labels, "
                   "subject, split) or a folder of images")  # fmt: skip
    p.add_argument("--dataset", metavar="NAME", help="instead of DATA: mnist:5, medmnist:NAME, phantom:cine, "
                   "phantom:cine:3d, phantom:hearts, phantom:fives, phantom:chest")  # fmt: skip
    p.add_argument("--recipe", metavar="NAME|FILE.yaml", default="diffeomorphic-2d", help="what to train and how: "
                   "voxelmorph-2d, swift-2d, diffeomorphic-2d, pyramid-2d, affine-2d, diffeomorphic-3d, pyramid-3d, "
                   "affine-3d (default: %(default)s)")  # fmt: skip
    p.add_argument("--out", metavar="DIR", type=file, help="folder of the training")
    p.add_argument("--resume", metavar="DIR", type=file, help="go on from the checkpoint in this folder")
    p.add_argument("--show", metavar="NAME", help="print a training recipe to change, and do nothing else")
    p.add_argument("--download", action="store_true", help="get MNIST or MedMNIST first, where it is not there yet")
    add_cache(p)
    how = p.add_argument_group("how")
    how.add_argument("--steps", metavar="N", type=whole, help="how many in all, instead of the recipe's number")
    how.add_argument("--seed", metavar="N", type=whole, help="instead of the recipe's")
    how.add_argument("--atlas", metavar="IMAGE", type=file, help="register every image of DATA onto this one")
    how.add_argument("--spacing", metavar="MM", type=float, nargs="+", help="voxel size of the network's grid, in data "
                     "order (default: that of the middle image)")  # fmt: skip
    how.add_argument("--shape", metavar="N", type=whole, nargs="+", help="voxels of the grid (default: of the largest)")
    how.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="(default: %(default)s)")
    how.add_argument("--threads", metavar="N", type=whole, help="CPU threads")
    how.add_argument("--tensorboard", action="store_true", help="write event files for TensorBoard too, into "
                     "DIR/tensorboard")  # fmt: skip
    how.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")
    return p


def run(options: Namespace) -> int:
    """Read, train, tell."""
    from pullback.cli.training import job_of, resumed_job, shown

    if options.show is not None:
        sys.stdout.write(shown(options.show))
        return 0
    _check(options)
    import torch

    from pullback.errors import TrainingError
    from pullback.learn import train

    if options.threads:
        torch.set_num_threads(options.threads)
    job = job_of(options) if options.resume is None else resumed_job(options)
    folder: Path = options.out if options.resume is None else options.resume
    try:
        with _live(options.quiet) as watch:
            trained = train(job.recipe, job.data, folder, resume=options.resume is not None, device=options.device,
                            notes=job.notes, tensorboard=options.tensorboard, watch=watch)  # fmt: skip
    except TrainingError as error:
        print(f"pullback: failed: {error}", file=sys.stderr)
        return 3
    if not options.quiet and trained.card.metrics:
        for name, figures in trained.card.metrics.items():
            print(f"{name:<9}" + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        early = ", stopped early" if trained.stopped_early else ""
        print(f"written to {folder}: model.safetensors, model.json, log.jsonl, pictures{early}")
    return 0


def _check(options: Namespace) -> None:
    if options.resume is not None:
        if options.data or options.dataset or options.out or options.download or options.seed is not None:
            raise UsageError("--resume takes data, recipe and seed from the folder; leave them out")
        return
    if (options.data is None) == (options.dataset is None):
        raise UsageError("give data to learn from: a CSV file or a folder, or --dataset NAME")
    if options.out is None:
        raise UsageError("where shall it go? Add --out DIR")


@contextmanager
def _live(quiet: bool) -> Iterator[ProgressWatch]:
    """One line that is kept up to date on a terminal, a line for each validation elsewhere."""
    last: dict[str, float] = {}

    def tell(progress: Progress) -> None:
        nonlocal last
        if quiet:
            return
        left = f"{progress.seconds_left // 60:.0f} min {progress.seconds_left % 60:02.0f} s left"
        seen = "  ".join(f"{name} {value:.4g}" for name, value in progress.validation.items() if name != "seconds")
        text = f"epoch {progress.epoch} of {progress.epochs}  loss {progress.loss:.4g}  {seen}  {left}"
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif progress.validation is not last:
            print(text, file=sys.stderr, flush=True)
        last = progress.validation

    yield tell
    if sys.stderr.isatty() and not quiet:
        print(file=sys.stderr)
