"""The front door: register and apply on whatever you hold.

Images may be paths, numpy arrays, torch tensors, nibabel images, SimpleITK images, or pullback's own `Image`.
"""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, overload

import torch

from pullback import __version__, cardiac, cohort, io
from pullback.cardiac.cine import read_frames
from pullback.energy import Landmarks
from pullback.errors import InputError, noted
from pullback.image import Image, Labels, Points
from pullback.registration import Recipe, Registration, group, recipe_file, saved
from pullback.registration import register as fold
from pullback.registration.given import as_mask, given, told
from pullback.registration.outcome import Watch, ignore
from pullback.registration.recipes import RECIPES, named
from pullback.space import Space
from pullback.transforms import Transform, landmarks, resample, resample_labels
from pullback.typing import Interpolation

Imageable: TypeAlias = Any
"""A path, an array, a tensor, a nibabel or SimpleITK image, or an `Image`."""


def register(  # noqa: PLR0913 - the front door: what most callers leave out has a default and a name
    fixed: Imageable,
    moving: Imageable,
    recipe: str | Path | Recipe = "default",
    *,
    initial: Transform | str | Path | None = None,
    fixed_mask: Imageable | None = None,
    moving_mask: Imageable | None = None,
    also: Mapping[str, tuple[Imageable, Imageable]] | None = None,
    masks: Mapping[str, tuple[Imageable | None, Imageable | None]] | None = None,
    landmarks: Landmarks | Sequence[Any] | None = None,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    watch: Watch = ignore,
) -> Registration:
    """Align the moving image with the fixed one.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        recipe: a name ("default", "rigid", "affine", "deformable", "fast", "multimodal", "cardiac-sax", "longitudinal",
            and more: `pullback recipe list`), a YAML file, or a `Recipe`.
        initial: fixed world -> moving world, as known so far: a transform, or a file that holds one.
        fixed_mask: how much each fixed voxel counts, on its grid: 0 not at all, 1 (and any label above) fully.
        moving_mask: the same for the moving image, on its own grid.
        also: further pairs (fixed, moving) that terms of the recipe compare, by name: other sequences, or label maps
            (`Labels`, or anything where a term with `SoftDice` names them). Each on a grid of its own.
        masks: by name, for terms that ask for one: (fixed, moving), either of them None for all of it.
        landmarks: (fixed, moving), each Points, a file, or (n, D) world mm; a third thing is sigma_mm, one for each.
        device: auto, cpu, cuda or mps.
        threads: number of CPU threads; as many as torch takes by default.
        seed: of every random choice; the same seed on the same machine gives the same bits.
        watch: called after every step with a `Step`.

    Returns:
        The result, also when it failed: look at `result.ok` and `result.message`.

    Raises:
        InputError: something given cannot be used; the message says what and what to do.

    Example:
        >>> import pullback as pb
        >>> pair = pb.phantom.make("pair")
        >>> result = pb.register(pair.fixed, pair.moving, "rigid")
        >>> result.warped.space.same_as(result.fixed.space)
        True
    """
    chosen = find_recipe(recipe)
    with noted() as notes:
        (f, m), own = _read(fixed, moving, fixed_mask, moving_mask)
        further = given(also or {}, masks or {}, landmarks)
    start = io.read_transform(initial) if isinstance(initial, str | Path) else initial
    device = _device(device)
    with _settings(threads, seed):
        result = fold(
            f, m, chosen, initial=start, fixed_mask=own[0], moving_mask=own[1], further=further, device=device,
            watch=watch,
        )  # fmt: skip
        provenance = _provenance({"fixed": fixed, "moving": moving}, device, seed, notes)
        return replace(result, provenance=provenance | told(further))


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
    device = _device(device)
    with _settings(threads, seed=0):
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
        return replace(result, provenance=_provenance({"cine": found.origin}, device, 0, []))


def register_group(
    images: Any,
    recipe: str | Path | Recipe = "group",
    *,
    cost: str | group.GroupCost = "nuclear",
    space: Space | Imageable | None = None,
    mask: Imageable | None = None,
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
    device = _device(device)
    onto = space if space is None or isinstance(space, Space) else io.as_image(space).space
    with _settings(threads, seed=0):
        result = group.register_group(
            found.images,
            chosen,
            measure,
            space=onto,
            mask=None if mask is None else as_mask(mask, "group's"),
            device=device,
            watch=watch,
        )
        return replace(result, provenance=_provenance({"images": found.origin}, device, 0, []))


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
    chosen, device = find_recipe(recipe), _device(device)
    onto = space if space is None or isinstance(space, Space) else io.as_image(space).space
    with _settings(threads, seed=0):
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


@overload
def apply(transform: Transform, thing: Labels, onto: Space | Imageable) -> Labels: ...
@overload
def apply(transform: Transform, thing: Points) -> Points: ...
@overload
def apply(
    transform: Transform, thing: Imageable, onto: Space | Imageable, interpolation: Interpolation = "linear"
) -> Image: ...
def apply(
    transform: Transform,
    thing: Any,
    onto: Space | Imageable | None = None,
    interpolation: Interpolation = "linear",
) -> Image | Labels | Points:
    """Carry something through a transform.

    Images and labels go from the moving world to the fixed one, by pull-back; points go from the fixed world to the
    moving one. Use `transform.inverse()` for the other way.

    Args:
        transform: fixed world -> moving world, usually `result.transform`.
        thing: an image (anything `register` takes), `Labels` (nearest label), or `Points`.
        onto: the grid to make: a `Space`, or an image that lies on it, usually `result.fixed`. Not for points.
        interpolation: nearest, linear or cubic, for images.

    Returns:
        The same kind of thing: `Image`, `Labels` or `Points`.

    Raises:
        InputError: there is no grid for an image, or dimensions disagree.
    """
    if isinstance(thing, Points):
        return Points(transform(thing.world))
    if onto is None:
        raise InputError("apply needs the grid to make: onto=result.fixed.space, or an image that lies on it")
    space = onto if isinstance(onto, Space) else io.as_image(onto).space
    if isinstance(thing, Labels):
        return resample_labels(thing, transform, space)
    return resample(io.as_image(thing), transform, space, interpolation)


def from_landmarks(
    fixed_points: Any,
    moving_points: Any,
    kind: landmarks.Kind = "rigid",
    sigma_mm: float | Sequence[float] | None = None,
    onto: Space | Imageable | None = None,
) -> Transform:
    """The transform that carries landmarks of the fixed image to the same landmarks of the moving image.

    Args:
        fixed_points: `Points`, a file of them, or (N, D) numbers, world RAS+ mm.
        moving_points: the same landmarks in the same order.
        kind: translation, rigid, similarity, affine; tps, a thin-plate spline; bspline, a free-form deformation.
        sigma_mm: how uncertain each landmark is, one number for all or one for each; see the page on transforms.
        onto: the fixed image, or its grid; only a bspline needs it.

    Returns:
        Fixed world -> moving world; give it to `register` as `initial`, or to `apply`.

    Raises:
        InputError: the landmarks do not pair up, are too few for the kind, or a bspline has no grid.

    Example:
        >>> import pullback as pb
        >>> turned = pb.from_landmarks([[0, 0], [10, 0]], [[5, 5], [5, 15]], kind="rigid")
        >>> turned([[0.0, 10.0]]).round()
        tensor([[-5.,  5.]], dtype=torch.float64)
    """
    fixed, moving = (io.read_points(p) if isinstance(p, str | Path) else p for p in (fixed_points, moving_points))
    space = onto if onto is None or isinstance(onto, Space) else io.as_image(onto).space
    return landmarks.from_landmarks(fixed, moving, kind, sigma_mm, space)


def load(folder: str | Path, fixed: Imageable | None = None, moving: Imageable | None = None) -> Registration:
    """Read a result folder that `result.save(folder)` or the command line wrote.

    Args:
        folder: the folder.
        fixed: the fixed image; read again from where it came from by default.
        moving: likewise.

    Raises:
        FileFormatError: the folder is not a result, or its images are no longer where they were.
    """
    images = [None if thing is None else io.as_image(thing) for thing in (fixed, moving)]
    return saved.load(folder, *images)


def find_recipe(recipe: str | Path | Recipe) -> Recipe:
    """A recipe by its name, from a YAML file, or as it is.

    Raises:
        RecipeError: there is no such recipe, or the file does not hold one.

    Example:
        >>> find_recipe("default").name
        'deformable'
    """
    if isinstance(recipe, Recipe):
        return recipe
    name = str(recipe)
    if name != "default" and name not in RECIPES and (name.endswith((".yaml", ".yml")) or Path(name).is_file()):
        return recipe_file.read(name)
    return named(name)


def _read(*things: Imageable | None) -> tuple[list[Image], list[Image | None]]:
    """The two images, and their masks if there are any."""
    names = ("fixed", "moving")
    images = [_image(thing, name) for thing, name in zip(things[:2], names, strict=True)]
    masks = [None if m is None else as_mask(m, name) for m, name in zip(things[2:], names, strict=True)]
    return _alike(images, masks)


def _image(thing: Imageable, name: str) -> Image:
    if thing is None:
        raise InputError(f"there is no {name} image: got None")
    return io.as_image(thing)


def _alike(images: list[Image], masks: list[Image | None]) -> tuple[list[Image], list[Image | None]]:
    """A plain 2D image beside a 3D one of a single slice becomes a single slice too."""
    dimensions = [image.dimension for image in images]
    if sorted(dimensions) != [2, 3]:
        return images, masks
    deep = images[dimensions.index(3)].space
    thicknesses = [spacing for spacing, n in zip(deep.spacing, deep.shape, strict=True) if n == 1]
    if not thicknesses:
        return images, masks
    lifted = [_lifted(image, min(thicknesses)) for image in images]
    return lifted, [None if mask is None else _lifted(mask, min(thicknesses)) for mask in masks]


def _lifted(image: Image, thickness_mm: float) -> Image:
    if image.dimension == 3:
        return image
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = 0.0
    matrix[2, 0] = thickness_mm
    matrix[:2, 1:3] = image.space.linear
    matrix[:2, 3] = image.space.matrix[:2, 2]
    return Image(image.data[:, None], Space((1, *image.space.shape), matrix))


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = name.partition(":")
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if kind not in counts or (index and not index.isdigit()):
        raise InputError(f"there is no device {name!r}; choose auto, cpu, cuda or mps")
    if int(index or 0) >= counts[kind]:
        raise InputError(f"this machine has {counts[kind]} {kind} device(s), and {name!r} is not among them; use cpu")
    return name


@contextmanager
def _settings(threads: int | None, seed: int) -> Iterator[None]:
    """Threads and the seed, put back afterwards."""
    if threads is not None and threads < 1:
        raise InputError(f"the number of threads must be at least 1; got {threads}")
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def _origin(thing: Imageable) -> str | None:
    return str(Path(thing).absolute()) if isinstance(thing, str | Path) else None


def _provenance(things: dict[str, Imageable], device: str, seed: int, notes: list[str]) -> dict[str, Any]:
    return {
        **{name: _origin(thing) for name, thing in things.items()},
        "pullback": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": device,
        "threads": torch.get_num_threads(),
        "seed": seed,
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **({"warnings": notes} if notes else {}),
    }
