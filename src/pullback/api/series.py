"""series: many images at once - the frames of a cine, a group, a template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pullback import cardiac, cohort, io
from pullback.api.inputs import Imageable
from pullback.api.settings import chosen_device, find_recipe, provenance_of, settings
from pullback.cardiac.cine import read_frames
from pullback.registration import Recipe, group
from pullback.registration.given import as_mask
from pullback.registration.outcome import Watch, ignore
from pullback.space import Space


def track(  # noqa: PLR0913 - as `register`
    frames: Any,
    recipe: str | Path | Recipe = "cine",
    *,
    fixed_frame: int = 0,
    cyclic: bool = True,
    mask: Imageable | None = None,
    labels: Any | None = None,
    device: str = "auto",
    threads: int | None = None,
    watch: Watch = ignore,
) -> cardiac.Tracking:
    """Follow every point of one frame of a cine through the others.

    Args:
        frames: a 4-D file, a DICOM folder, a folder with a file for each frame, a list of images, or an array with time
            first.
        recipe: whose dense stage says how frames are compared, smoothed and stepped.
        fixed_frame: the frame to follow, from 0: the end of diastole as a rule.
        cyclic: whether the frames are of one beat, so that the first follows the last.
        mask: how much each voxel of the fixed frame counts, on its grid.
        labels: of the fixed frame; the motion is summed up where there are any.
        device: auto, cpu, cuda or mps.
        threads: number of CPU threads; as many as torch takes by default.
        watch: called after every step with a `Step`.

    Returns:
        A transform to each frame, and the motion in figures; `result.save(folder)` writes it.

    Raises:
        InputError: something given cannot be used; the message says what and what to do.

    Example:
        >>> import pullback as pb
        >>> space = pb.phantom.heart_space(shape=(64, 64), spacing=(4, 4))
        >>> cine = pb.phantom.beating_heart(4, space=space)
        >>> result = pb.track(cine.frames)
        >>> result.motion.farthest_frame
        1
    """
    chosen, found = find_recipe(recipe), read_frames(frames)
    device = chosen_device(device)
    with settings(threads, seed=0):
        result = cardiac.track(
            found.images,
            chosen,
            fixed_frame=fixed_frame,
            cyclic=cyclic,
            mask=None if mask is None else as_mask(mask, "fixed"),
            labels=None if labels is None else io.as_labels(labels),
            device=device,
            watch=watch,
        )
        return replace(result, provenance=provenance_of({"cine": found.origin}, device, 0, []))


def register_group(  # noqa: PLR0913 - as `register`
    images: Any,
    recipe: str | Path | Recipe = "group",
    *,
    cost: str | group.GroupCost = "nuclear",
    space: Space | Imageable | None = None,
    mask: Imageable | None = None,
    start: group.Start = "headers",
    device: str = "auto",
    threads: int | None = None,
    watch: Watch = ignore,
) -> group.Group:
    """Bring images into a common space in the middle of them, all at once.

    Args:
        images: a list of images, a 4-D file, a folder with a file for each, or an array with the images first.
        recipe: whose stages that optimise are run, with the cost in place of their similarity.
        cost: pairwise or variance (one contrast), pca2, nuclear or local-nuclear (changing contrast), or a `GroupCost`.
        space: the common grid, or an image that lies on it; the first image's by default.
        mask: how much each voxel of the common grid counts.
        start: where each image sets out: headers, centres (a shift towards the first) or search (any pose).
        device: auto, cpu, cuda or mps.
        threads: number of CPU threads; as many as torch takes by default.
        watch: called after every step with a `Step`.

    Returns:
        A transform from the common space to each image; `result.save(folder)` writes everything.

    Raises:
        InputError: something given cannot be used; the message says what and what to do.

    Example:
        >>> import pullback as pb
        >>> space = pb.phantom.heart_space(shape=(64, 64), spacing=(4, 4))
        >>> series = pb.phantom.mapping_series((200, 900, 3000), space=space)
        >>> result = pb.register_group(series.images)
        >>> len(result.transforms), result.ok
        (3, True)
    """
    chosen, measure, found = find_recipe(recipe), group.group_cost(cost), read_frames(images)
    device = chosen_device(device)
    onto = space if space is None or isinstance(space, Space) else io.as_image(space).space
    with settings(threads, seed=0):
        result = group.register_group(
            found.images,
            chosen,
            measure,
            space=onto,
            mask=None if mask is None else as_mask(mask, "group's"),
            start=start,
            device=device,
            watch=watch,
        )
        return replace(result, provenance=provenance_of({"images": found.origin}, device, 0, []))


def template(  # noqa: PLR0913 - as `register`
    images: Sequence[Imageable],
    recipe: str | Path | Recipe = "default",
    *,
    iterations: int = 4,
    folder: str | Path | None = None,
    space: Space | Imageable | None = None,
    sharpen: float = 0.0,
    device: str = "auto",
    threads: int | None = None,
    watch: Watch = ignore,
) -> cohort.Template:
    """Make an image in the middle of many, in shape and in brightness.

    Args:
        images: one for each subject; paths are read one at a time.
        recipe: how each image is registered with the template.
        iterations: how often.
        folder: where each iteration is kept, so that the same call goes on where an earlier one was stopped.
        space: the template's grid, or an image that lies on it; the first image's by default.
        sharpen: against the blur of averaging, for example 0.5; 0 for none.
        device: auto, cpu, cuda or mps.
        threads: number of CPU threads; as many as torch takes by default.
        watch: called after every step with a `Step`.

    Raises:
        InputError: something given cannot be used; the message says what and what to do.

    Example:
        >>> import pullback as pb
        >>> space = pb.phantom.heart_space(shape=(64, 64), spacing=(4, 4))
        >>> hearts = [pb.phantom.heart(space=space, seed=seed).image for seed in range(2)]
        >>> result = pb.template(hearts, "affine", iterations=1)
        >>> result.image, result.iterations[0].used
        (Image(1 channel, Space(64 x 64 voxels of 4 x 4 mm)), 2)
    """
    chosen, device = find_recipe(recipe), chosen_device(device)
    onto = space if space is None or isinstance(space, Space) else io.as_image(space).space
    with settings(threads, seed=0):
        return cohort.build_template(
            images,
            chosen,
            iterations=iterations,
            folder=None if folder is None else Path(folder),
            space=onto,
            sharpen=sharpen,
            device=device,
            watch=watch,
        )
