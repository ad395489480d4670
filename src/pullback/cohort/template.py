"""build_template: an image in the middle of many, in shape and in brightness.

Each iteration registers every image with the present template, one at a time, takes the mean of the warped images, and
moves it by the inverse of the mean displacement, so that the template's shape is the mean of all shapes and not that of
the image from which it began (Guimond et al., Computer Vision and Image Understanding 77, 2000; Avants et al.,
NeuroImage 49, 2010). Held in memory: one image, the template, two sums.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch

from pullback import io, ops
from pullback.cohort.running import NAME, Running, key_of
from pullback.energy import NCC
from pullback.errors import InputError, PullbackWarning
from pullback.image import Image
from pullback.registration import AlignCentres, Recipe, Search, recipe_file, register
from pullback.registration.outcome import Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.space import Space
from pullback.transforms import Affine, Displacement, Transform, resample
from pullback.typing import Field

LEAST_SHARE = 0.5
"""Of the images that must be registered with success."""


@dataclass(frozen=True)
class Iteration:
    """How the template changed.

    Attributes:
        shape_mm: mean length of the mean displacement that was taken off: how far the shape was from the middle.
        likeness: correlation of the template with the one before it; near 1, further iterations change little.
        used: how many images went into it.
        left_out: those that could not be registered, by their number from 0, and why.
    """

    shape_mm: float
    likeness: float
    used: int
    left_out: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Template:
    """An image in the middle of many.

    Attributes:
        image: the template; brightness 0 to 1.
        iterations: how it came to be; those of an earlier run that was stopped are not among them.
        recipe: how images were registered.
    """

    image: Image
    iterations: tuple[Iteration, ...]
    recipe: Recipe


def build_template(
    images: Sequence[Any],
    recipe: Recipe,
    *,
    iterations: int = 4,
    folder: Path | None = None,
    space: Space | None = None,
    sharpen: float = 0.0,
    device: str = "cpu",
    watch: Watch = ignore,
) -> Template:
    """Make a template.

    Args:
        images: paths, or anything that is an image; paths are read one at a time.
        recipe: how each image is registered with the template.
        iterations: how often.
        folder: where the template of each iteration is kept, and what is unfinished, so that the same call goes on
            where an earlier one was stopped; nothing is kept if None.
        space: the template's grid; the first image's by default. The template lies where the first image lies.
        sharpen: how much of the difference from its own smoothed self is added to each mean, 0 for none; 0.5 makes up
            for some of the blur of averaging.
        device: where to compute.
        watch: called after every step.

    Raises:
        InputError: fewer than two images, images that cannot be registered, or a folder with another template in it.
    """
    if len(images) < 2:
        raise InputError(f"a template needs at least two images; got {len(images)}")
    if iterations < 1 or not 0 <= sharpen < math.inf:
        raise InputError(f"a template needs at least one iteration and sharpen >= 0; got {iterations} and {sharpen}")
    first = io.as_image(images[0])
    job = _Job(images, recipe, first.space if space is None else space, first, sharpen, device, watch, iterations)
    settings = (recipe_file.to_yaml(recipe), job.space.matrix.tolist(), job.space.shape, sharpen)
    key = "" if folder is None else key_of(images, *settings)
    begun = None if folder is None else _begun(folder, key, job.space)
    template, running = (job.first_guess(), None) if begun is None else begun
    done: list[Iteration] = []
    for number in range(0 if running is None else running.iteration, iterations):
        running = running or Running.begin(number, job.space, first.channels)
        template, iteration = job.iterate(template, running, folder, key)
        done.append(iteration)
        running = None
        if folder is not None:
            io.write_image(template, folder / f"template_{number + 1}.nii.gz")
            Running.begin(number + 1, job.space, first.channels).write(folder, key)
    return Template(template, tuple(done), recipe)


def _begun(folder: Path, key: str, space: Space) -> tuple[Image, Running] | None:
    """The template and sums with which an earlier run stopped; None in a folder that is new to this."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write the folder {folder}: {error.strerror}; choose another one") from error
    running = Running.read(folder, key)
    if running is None:
        return None
    path = folder / f"template_{running.iteration}.nii.gz"
    if not path.is_file():
        raise InputError(f"{folder} holds {NAME} but not {path.name}; delete {NAME} to begin again")
    return Image(io.read_image(path).data, space), running  # files round the matrix


@dataclass(frozen=True, eq=False)
class _Job:
    """What does not change from iteration to iteration."""

    images: Sequence[Any]
    recipe: Recipe
    space: Space
    first: Image
    sharpen: float
    device: str
    watch: Watch
    iterations: int

    def read(self, number: int) -> Image:
        """One image."""
        image = io.as_image(self.images[number])
        if (image.dimension, image.channels) != (self.first.dimension, self.first.channels):
            raise InputError(f"image {number} is {image.dimension}D with {image.channels} channel(s), but the first is "
                             f"{self.first.dimension}D with {self.first.channels}; all must be alike")  # fmt: skip
        return image

    def scaled(self, image: Image) -> Image:
        """Brightness from 0 to 1, as registrations see it."""
        return Image(self._prepared(image).data[0].cpu(), image.space)

    def _prepared(self, image: Image) -> Prepared:
        return self.recipe.prepare.pair(image, image, None, None, self.device)[0]

    def first_guess(self) -> Image:
        """The mean of the images as headers place them, or as the recipe finds them: by centres, or by a search."""
        first = takewhile(lambda stage: isinstance(stage, AlignCentres | Search), self.recipe.stages)
        finders = tuple(first)
        fixed, total = self._prepared(self.first), torch.zeros(self.first.channels, *self.space.shape)
        for number in range(len(self.images)):
            image = self.read(number)
            start: Transform = Affine.identity(self.space.dimension)
            for stage in finders if number > 0 else ():
                start = stage.run(fixed, self._prepared(image), start).transform
            total += resample(self.scaled(image), start, self.space, outside=None).data
        return Image(total / len(self.images), self.space)

    def iterate(self, template: Image, running: Running, folder: Path | None, key: str) -> tuple[Image, Iteration]:
        """A better template, and how it differs."""
        if folder is not None and running.done == 0:
            io.write_image(template, folder / f"template_{running.iteration}.nii.gz")
        for number in range(running.done, len(self.images)):
            running = self._add(template, running, number)
            if folder is not None:
                running.write(folder, key)
        if running.used < LEAST_SHARE * len(self.images):
            what = "; ".join(f"image {n}: {why}" for n, why in running.left_out[:3])
            raise InputError(f"only {running.used} of {len(self.images)} images could be registered with the template "
                             f"({what}); check them, or take another recipe")  # fmt: skip
        mean = Image(running.total / running.used, self.space)
        shift = _shape(running.displacement / running.used)
        moved = resample(mean, Displacement(shift, self.space).inverse(), self.space, outside=None)
        moved = _sharpened(moved, self.sharpen)
        likeness = 1 - float(NCC().loss(template.data[None].float(), moved.data[None].float())[0])
        return moved, Iteration(float(shift.norm(dim=0).mean()), likeness, running.used, running.left_out)

    def _add(self, template: Image, running: Running, number: int) -> Running:
        image = self.read(number)
        before = running.iteration * len(self.images) + number

        def told(step: Step) -> None:
            share = (before + step.share) / (self.iterations * len(self.images))
            self.watch(replace(step, stage=f"image {number + 1}, {step.stage}", share=share))

        result = register(template, image, self.recipe, device=self.device, watch=told)
        if not result.ok:
            warnings.warn(f"image {number} is left out of iteration {running.iteration + 1}: {result.message}",
                          PullbackWarning, stacklevel=2)  # fmt: skip
            return running.leave_out(result.message)
        warped = resample(self.scaled(image), result.transform, self.space, outside=None)
        return running.add(warped.data, result.transform.displace(self.space))


def _shape(displacement: Field) -> Field:
    """A mean displacement without its mean shift: where a template lies is not a matter of its shape."""
    return displacement - displacement.flatten(1).mean(dim=1).view(-1, *[1] * (displacement.ndim - 1))


def _sharpened(image: Image, amount: float) -> Image:
    if amount == 0:
        return image
    reach = [image.space.finest / s for s in image.space.spacing]
    blurred = ops.smooth(image.data[None], reach)[0]
    return Image((image.data + amount * (image.data - blurred)).clamp(min=0), image.space)
