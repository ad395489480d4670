"""What a result folder says about itself, in a few facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pullback.registration import saved
from pullback.registration.folder import LAST


def result_facts(folder: Path) -> dict[str, Any]:
    """What to print about it.

    Raises:
        FileFormatError: the folder is not a result, or it is damaged.
    """
    tree = saved.read_summary(folder)
    with saved.damaged(folder / LAST):
        quality, made = tree["quality"] or {}, tree["provenance"]
        facts = {"kind": "result"} | {name: tree.get(name) for name in ("status", "message", "seconds")} | quality
        facts |= {f"stage {k}": _stage(stage) for k, stage in enumerate(tree["stages"], start=1)}
        facts |= {n: f"{made.get(n) or 'given in memory'}, {_grid(tree[n])}" for n in ("fixed", "moving")}
        facts |= {name: made.get(name) for name in ("time", "pullback", "torch", "device", "threads", "seed")}
        return facts | {"files": sorted(path.name for path in folder.iterdir())}


def _grid(image: dict[str, Any]) -> str:
    sizes = " x ".join(str(n) for n in image["shape"])
    return f"{sizes} voxels of {' x '.join(f'{s:.4g}' for s in image['spacing_mm'])} mm"


def _stage(stage: dict[str, Any]) -> str:
    steps = sum(len(level["losses"]) for level in stage["history"])
    return f"{stage['stage']}: {stage['status']}, {steps} steps, {stage['seconds']:.2f} s"
