"""A registration as the command line asked for it: everything read and checked before the long work starts."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pullback import api, io
from pullback.errors import InputError, SpaceError
from pullback.image import Image, Labels, Points
from pullback.io.images.read import open_image
from pullback.registration import Recipe, Registration, saved
from pullback.registration.folder import EXTRAS
from pullback.registration.recipe_changes import changed
from pullback.registration.recipes import learned
from pullback.registration.saved import RESULT
from pullback.transforms import Transform


@dataclass(frozen=True, eq=False)
class Job:
    """What goes in, and what to write.

    Attributes:
        fixed: the image that stays.
        moving: the image that is pulled back.
        recipe: what to do; "auto" if that is still to be chosen.
        initial: where to start.
        fixed_mask: where the fixed image counts.
        moving_mask: where the moving image counts.
        also: further pairs of images, by the name under which the recipe knows them.
        masks: pairs of masks, likewise.
        landmarks: files of the fixed and the moving points that belong together.
        surfaces: points on surfaces of both images, by name.
        labels: of the moving image, by the name of the file to write.
        points: of the fixed image, with the file they came from, by the name of the file to write.
        displacement: whether to write the displacement field.
        report: whether to write the report.
        origins: where the images came from, for result.json.
    """

    fixed: Image
    moving: Image
    recipe: Recipe | str
    initial: Transform | None
    fixed_mask: Image | None
    moving_mask: Image | None
    also: dict[str, tuple[Image, Image]]
    masks: dict[str, tuple[Image | None, Image | None]]
    landmarks: tuple[Points, Points] | None
    surfaces: dict[str, tuple[Points, Points]]
    labels: dict[str, Labels]
    points: dict[str, tuple[Points, Path]]
    displacement: bool
    report: bool
    origins: dict[str, str | int | None]

    def write(self, result: Registration, folder: Path) -> None:
        """The result and everything that it carries along, into a folder that exists."""
        saved.write(result, folder)
        for name, labels in self.labels.items():
            io.write_image(api.apply(result.transform, labels, onto=result.fixed.space), folder / name)
        if self.points:  # between voxels, by the transform as it was written, so that `pullback apply` says the same
            written = io.read_transform(folder / "transform.h5")
        for name, (points, like) in self.points.items():
            io.write_points(api.apply(written, points), folder / name, like=like)
        if self.displacement:
            io.write_displacement(result.transform, result.fixed.space, folder / "displacement.nii.gz")
        if self.report:
            from pullback import report

            report.write(result, folder / "report.html")


def read_job(options: Namespace) -> Job:
    """Read every file that the options name.

    Raises:
        InputError: one of them cannot be used, or two would be written to one name.
    """
    label_files = _names(options.labels, "_warped.nii.gz")
    point_files = _names(options.points, "_moved.csv")
    _spare_inputs(options, [*RESULT, *EXTRAS, *label_files, *point_files])
    recipe = _recipe(options)
    frames = {
        "fixed": options.frame if options.fixed_frame is None else options.fixed_frame,
        "moving": options.frame if options.moving_frame is None else options.moving_frame,
    }
    fixed, moving = (io.read_image(getattr(options, name), frame=frames[name]) for name in ("fixed", "moving"))
    masks = [None if mask is None else io.read_image(mask) for mask in (options.fixed_mask, options.moving_mask)]
    job = Job(
        fixed,
        moving,
        recipe,
        None if options.initial is None else io.read_transform(options.initial),
        masks[0],
        masks[1],
        {name: (io.read_image(f), io.read_image(m)) for name, (f, m) in named_pairs(options.also, "also").items()},
        {name: (_read(f), _read(m)) for name, (f, m) in named_pairs(options.mask, "mask", optional=True).items()},
        _landmarks(options),
        {name: (io.read_points(f), io.read_points(m)) for name, (f, m) in _surface_files(options).items()},
        {name: _labels(path, frames["moving"]) for name, path in label_files.items()},
        {name: (io.read_points(path), path) for name, path in point_files.items()},
        options.displacement,
        options.report,
        _origins(options, frames),
    )
    _check(job, label_files, point_files)
    return job if recipe != api.AUTO or not (options.set or options.term) else _suited(job, options)


def _recipe(options: Namespace) -> Recipe | str:
    """The recipe that is named, or one around a network that falls back on it; "auto" is left to be chosen."""
    auto = options.recipe == api.AUTO
    if options.model is None:
        if options.finetune is not None:
            raise InputError("--finetune refines the answer of a network; give one with --model")
        return api.AUTO if auto else changed(api.find_recipe(options.recipe), options.set, options.term)
    fallback = changed(api.find_recipe("default" if auto else options.recipe), options.set, options.term)
    return learned(options.model, finetune=options.finetune, fallback=fallback)


def _suited(job: Job, options: Namespace) -> Job:
    """The job with the recipe that suits its images, changed as asked for."""
    found = api.suggest(
        job.fixed, job.moving, initial=job.initial, fixed_mask=job.fixed_mask, moving_mask=job.moving_mask
    )
    recipe = changed(api.find_recipe(found.recipe), options.set, options.term)
    return replace(job, recipe=recipe, origins=job.origins | {"chosen": str(found)})


def _names(paths: Iterable[Path], ending: str) -> dict[str, Path]:
    """{name of the file to write: file to read}; the stem is the file's name up to its first dot."""
    names: dict[str, Path] = {}
    for path in paths:
        name = path.name.split(".")[0] + ending
        if name in names:
            raise InputError(f"{names[name]} and {path} would both be written to {name}; rename one of them")
        names[name] = path
    return names


def named_pairs(texts: Iterable[str], option: str, optional: bool = False) -> dict[str, tuple[Path, Path]]:
    """{name: (fixed, moving)} from NAME=FIXED,MOVING; where it is optional, an empty one stands for none.

    Example:
        >>> named_pairs(["t1=a.nii,b.nii"], "also")["t1"][1].name
        'b.nii'
    """
    pairs: dict[str, tuple[Path, Path]] = {}
    for text in texts:
        name, _, files = text.partition("=")
        paths = [part.strip() for part in files.split(",")]
        paths += [""] if optional and len(paths) == 1 else []
        if not name.strip() or len(paths) != 2 or not any(paths) or not (optional or all(paths)):
            form = "NAME=FIXED,MOVING" + (" (or NAME=FIXED, or NAME=,MOVING)" if optional else "")
            raise InputError(f"--{option} needs {form}, file names without commas; got {text!r}")
        if name.strip() in pairs:
            raise InputError(f"--{option} {name.strip()} is given twice; give every pair a name of its own")
        pairs[name.strip()] = (Path(paths[0]), Path(paths[1]))
    return pairs


def _read(path: Path) -> Image | None:
    """An image; none for an empty name."""
    return None if path == Path() else io.read_image(path)


def _landmarks(options: Namespace) -> tuple[Points, Points] | None:
    files = [options.fixed_points, options.moving_points]
    if files == [None, None]:
        return None
    if None in files:
        raise InputError("--fixed-points and --moving-points belong together: give both, in the same order of points")
    return io.read_points(files[0]), io.read_points(files[1])


def _surface_files(options: Namespace) -> dict[str, tuple[Path, Path]]:
    return named_pairs(options.surface, "surface")


def _labels(path: Path, frame: int | None) -> Labels:
    """Labels of one image, or of a series in time of which the moving image is a frame."""
    return io.read_labels(path, frame=frame if open_image(path).frames > 1 else None)


def _spare_inputs(options: Namespace, written: list[str]) -> None:
    inputs = [options.fixed, options.moving, options.fixed_mask, options.moving_mask, options.initial]
    inputs += [options.fixed_points, options.moving_points]
    inputs += [path for pair in named_pairs(options.also, "also").values() for path in pair]
    inputs += [path for pair in named_pairs(options.mask, "mask", optional=True).values() for path in pair]
    inputs += [path for pair in _surface_files(options).values() for path in pair]
    for path in filter(None, (*inputs, *options.labels, *options.points)):
        if path.name in written and path.parent.resolve() == options.out.resolve():
            raise InputError(f"{path} would be overwritten by the result; choose another folder for --out")


def _origins(options: Namespace, frames: dict[str, int | None]) -> dict[str, str | int | None]:
    own = ("fixed", "moving", "fixed_mask", "moving_mask", "initial", "fixed_points", "moving_points")
    files = {name: getattr(options, name) for name in own}
    paths = {name: str(path.absolute()) for name, path in files.items() if path is not None}
    return paths | {f"{name}_frame": frame for name, frame in frames.items()}


def _check(job: Job, label_files: dict[str, Path], point_files: dict[str, Path]) -> None:
    dimension = max(job.fixed.dimension, job.moving.dimension)
    things = [(label_files[name], labels.dimension) for name, labels in job.labels.items()]
    things += [(point_files[name], points.dimension) for name, (points, _) in job.points.items()]
    for path, has in things:
        if has != dimension:
            raise SpaceError(f"{path} is {has}D but the images are {dimension}D; it cannot be carried along")
