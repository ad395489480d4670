"""track: where every point of one frame of a cine has gone in each other frame.

Each frame is registered with the fixed frame itself, so that errors do not add up; only where it *starts* comes from
the frames beside it. At the coarsest level the frames are walked through forward and backward in time, each from the
displacement of the one before; over one beat the two walks are blended by (T - t) / T and t / T, as Bai et al., Nature
Medicine 26, 2020, blend two chains of motion. Finer levels then go on for all frames at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from pullback import ops
from pullback.cardiac.following import follow
from pullback.cardiac.motion import Motion, measure_motion
from pullback.cardiac.tracked import SAME_GRID_VOXELS, Tracking, check_labels
from pullback.errors import InputError, SpaceError
from pullback.image import Image, Labels
from pullback.optimise import Status
from pullback.registration import Prepared, Recipe
from pullback.registration.check import check
from pullback.registration.fluid import dense_part
from pullback.registration.outcome import Watch, ignore
from pullback.transforms import Affine, Displacement, Transform

MOST_FOLDING_PERCENT = 0.5


def track(
    frames: Sequence[Image],
    recipe: Recipe,
    *,
    fixed_frame: int = 0,
    cyclic: bool = True,
    mask: Image | None = None,
    labels: Labels | None = None,
    device: str = "cpu",
    watch: Watch = ignore,
) -> Tracking:
    """Follow every point of one frame through the others.

    Args:
        frames: of one slice or stack, in the order of time, on one grid.
        recipe: its last dense stage says how frames are compared, smoothed and stepped; no other stage runs.
        fixed_frame: the frame whose points are followed, from 0: the end of diastole as a rule.
        cyclic: whether the frames are of one beat, so that the first follows the last.
        mask: how much each voxel of the fixed frame counts, on its grid.
        labels: of the fixed frame; the motion is summed up where there are any. Otherwise it is under the mask, or in
            the whole field of view.
        device: where to compute.
        watch: called after every step.

    Raises:
        InputError: fewer than two frames, frames on different grids, or frames that cannot be registered.
        RecipeError: the recipe has no dense stage.
    """
    dense, began = dense_part(recipe, "tracking"), time.perf_counter()
    _check(frames, fixed_frame, mask, labels)
    prepared = _prepared(frames, recipe, fixed_frame, mask, device)
    with ops.recorded() as kernels, ops.reused():
        found = follow(prepared, fixed_frame, dense, cyclic, watch)
    space, weight = frames[fixed_frame].space, prepared[fixed_frame].weight
    region = None if weight is None else weight[0, 0] > 0
    region = region if labels is None else (labels.data > 0).to(found.fields.device)
    motion = measure_motion(found.fields, space, region, found.apart, found.closed)
    transforms: list[Transform] = [Displacement(field, space) for field in found.fields.cpu()]
    transforms[fixed_frame] = Affine.identity(space.dimension)
    return Tracking(
        tuple(frames),
        fixed_frame,
        tuple(transforms),
        motion,
        _status(motion, found.status),
        recipe,
        cyclic,
        time.perf_counter() - began,
        dict(kernels),
    )


def _prepared(
    frames: Sequence[Image], recipe: Recipe, fixed_frame: int, mask: Image | None, device: str
) -> list[Prepared]:
    """Each frame scaled by its own percentiles, as in a registration: some exports scale every frame by itself."""
    fixed = frames[fixed_frame]
    pairs = [recipe.prepare.pair(fixed, frame, mask, None, device) for frame in frames]
    return [f if t == fixed_frame else m for t, (f, m) in enumerate(pairs)]


def _check(frames: Sequence[Image], fixed_frame: int, mask: Image | None, labels: Labels | None) -> None:
    if len(frames) < 2:
        raise InputError(f"tracking needs at least two frames; got {len(frames)}")
    if not 0 <= fixed_frame < len(frames):
        raise InputError(f"there is no frame {fixed_frame}: the cine has the frames 0 to {len(frames) - 1}")
    fixed = frames[fixed_frame]
    if labels is not None:
        check_labels(labels, fixed)
    for t, frame in enumerate(frames):
        check(fixed, frame, None, mask, None)
        if not frame.space.same_as(fixed.space, SAME_GRID_VOXELS):
            raise SpaceError(f"frame {t} lies on {frame.space!r} but frame {fixed_frame} on {fixed.space!r}; the "
                             "frames of a cine must share one grid: resample them first")  # fmt: skip


def _status(motion: Motion, status: Status) -> Status:
    folded = max(motion.fold_percent) > MOST_FOLDING_PERCENT
    return Status.folded if status.ok and folded else status
