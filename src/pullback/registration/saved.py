"""A result folder: what a registration leaves on disk, and how it is read again.

- warped.nii.gz: the moving image on the fixed grid
- transform.h5: ITK composite, fixed -> moving; SimpleITK, ANTs and 3D Slicer open it as it is
- recipe.yaml: everything that was done, value by value
- to_fixed.h5, to_moving.h5, middle.nii.gz: of a symmetric registration, see `halves`
- result.json: status, figures, losses, seconds, versions, inputs
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from pullback import io
from pullback.errors import FileFormatError
from pullback.image import Image
from pullback.optimise import Status
from pullback.registration import recipe_file
from pullback.registration.folder import LAST, together
from pullback.registration.halves import read_transform, write_halves
from pullback.registration.outcome import LevelHistory, Outcome
from pullback.registration.registration import Quality, Registration
from pullback.space import Space
from pullback.transforms import Halfway, Transform

RESULT = ("warped.nii.gz", "transform.h5", "recipe.yaml", LAST)
"""The files of a result."""

DIRECTION = ("transform.h5 maps fixed points to moving points. Images go the other way by pull-back: "
             "warped(x) = moving(transform(x)). Landmarks from moving to fixed use the inverse.")  # fmt: skip


def save(registration: Registration, folder: str | Path) -> Path:
    """Write a result folder: all of it or nothing.

    A deformation that was found on a coarser grid is written on the fixed one: the same at every voxel, and between
    voxels to about a hundredth of one.

    Raises:
        InputError: the folder cannot be made or written.
    """
    with together(folder) as inside:
        write(registration, inside)
    return Path(folder)


def write(registration: Registration, folder: Path) -> None:
    """Write the four files of a result into a folder that exists."""
    warped, transform, recipe, last = (folder / name for name in RESULT)
    io.write_image(registration.warped, warped)
    io.write_transform(registration.transform, transform, onto=registration.fixed.space)
    if isinstance(registration.transform, Halfway):
        write_halves(registration.transform, registration.fixed, registration.moving, folder)
    summarised = json.dumps(_plain(summary(registration)), indent=2, allow_nan=False)
    for wanted, text in ((recipe, recipe_file.to_yaml(registration.recipe)), (last, summarised + "\n")):
        with io.atomic(wanted) as path:
            path.write_text(text, encoding="utf-8")


def summary(registration: Registration) -> dict[str, Any]:
    """What result.json holds."""
    return {
        "status": registration.status.name,
        "ok": registration.ok,
        "message": registration.message,
        "direction": DIRECTION,
        "remarks": [asdict(remark) for remark in registration.remarks],
        "quality": None if registration.quality is None else asdict(registration.quality),
        "seconds": round(registration.seconds, 4),
        "stages": [_stage(outcome) for outcome in registration.outcomes],
        "fixed": _image(registration.fixed),
        "moving": _image(registration.moving),
        "provenance": registration.provenance,
    }


def _stage(outcome: Outcome) -> dict[str, Any]:
    return {
        "stage": outcome.stage,
        "status": outcome.status.name,
        "seconds": round(outcome.seconds, 4),
        "kernels": outcome.kernels,
        "notes": list(outcome.notes),
        "history": [
            {"spacing_mm": list(level.spacing_mm), "losses": [float(f"{loss:.7g}") for loss in level.losses]}
            for level in outcome.history
        ],
    }


def _image(image: Image) -> dict[str, Any]:
    return {
        "shape": list(image.space.shape),
        "spacing_mm": list(image.space.spacing),
        "voxel_to_world_ras": image.space.matrix.tolist(),
        "sha256": _hash(image),
    }


def _hash(image: Image) -> str:
    data = image.data.detach().to("cpu", torch.float32)
    return hashlib.sha256(np.ascontiguousarray(data.numpy()).data).hexdigest()


def load(folder: str | Path, fixed: Image | None = None, moving: Image | None = None) -> Registration:
    """Read a result folder again.

    Args:
        folder: what `save` wrote.
        fixed: the fixed image; read from where it came from by default.
        moving: likewise.

    Raises:
        FileFormatError: the folder is not a result, or its images are not those that were registered.
    """
    folder = Path(folder)
    tree = read_summary(folder)
    transform = read_transform(folder)
    recipe = recipe_file.read(folder / "recipe.yaml")
    images = _same(tree, "fixed", fixed, folder), _same(tree, "moving", moving, folder)
    with damaged(folder / LAST):
        status = Status[tree["status"]]
        quality = None if tree["quality"] is None else Quality(**_numbers(tree["quality"]))
        outcomes = tuple(_outcome(stage, transform) for stage in tree["stages"])
        provenance = dict(tree["provenance"])
    return Registration(images[0], images[1], transform, status, outcomes, quality, recipe, provenance)


def read_summary(folder: str | Path) -> dict[str, Any]:
    """result.json of a result folder.

    Raises:
        FileFormatError: there is none, or it is damaged.
    """
    path = Path(folder) / LAST
    if not path.is_file():
        raise FileFormatError(f"{folder} is not a result of pullback: it holds no {LAST}")
    with damaged(path):
        tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = {"status", "quality", "stages", "fixed", "moving", "provenance"} - set(tree)
        if missing:
            raise FileFormatError(f"{path} lacks {', '.join(sorted(missing))}; was it written by another version?")
        return tree


def space_of(tree: dict[str, Any], name: Literal["fixed", "moving"]) -> Space:
    """The grid of an image, from what `read_summary` gave.

    Raises:
        FileFormatError: result.json is damaged.
    """
    with damaged(Path(LAST)):
        matrix = torch.tensor(tree[name]["voxel_to_world_ras"], dtype=torch.float64)
        return Space(tuple(tree[name]["shape"]), matrix)


def _same(tree: dict[str, Any], name: Literal["fixed", "moving"], given: Image | None, folder: Path) -> Image:
    """The image that was registered: the one given, or read again from where it came from."""
    with damaged(folder / LAST):
        path, frame = tree["provenance"].get(name), tree["provenance"].get(f"{name}_frame")
        expected = tree[name]["sha256"]
    if given is None and path is None:
        raise FileFormatError(f"{folder} does not say where its {name} image is, for it was given in memory; "
                              "pass it again")  # fmt: skip
    image = io.read_image(path, frame=frame) if given is None else given
    if _hash(image) != expected:
        what = "the image given" if given is not None else str(path)
        raise FileFormatError(f"{what} is not the {name} image that was registered: its voxels are not the same")
    space = space_of(tree, name)
    return image if image.dimension == space.dimension else Image(image.data.reshape(-1, *space.shape), space)


def _outcome(stage: dict[str, Any], transform: Transform) -> Outcome:
    """A stage from result.json; only the final transform was kept."""
    history = tuple(LevelHistory(tuple(h["spacing_mm"]), tuple(map(_number, h["losses"]))) for h in stage["history"])
    status, seconds = Status[stage["status"]], float(stage["seconds"])
    return Outcome(stage["stage"], transform, status, history, seconds, dict(stage["kernels"]), tuple(stage["notes"]))


def _numbers(tree: dict[str, Any]) -> dict[str, float]:
    """The figures; one that has a default may be missing: earlier versions did not write it."""
    return {f.name: _number(tree[f.name]) for f in fields(Quality) if f.default is MISSING or f.name in tree}


def _number(value: float | None) -> float:
    """JSON has no NaN: it is written as null."""
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    """The same tree with null for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Whatever is wrong inside a result.json becomes one sentence."""
    try:
        yield
    except FileFormatError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = " ".join(f"{type(error).__name__} {error}".split())[:200]
        raise FileFormatError(f"{path} is damaged ({what}); run the registration again") from error
