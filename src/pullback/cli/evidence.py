"""What `pullback evaluate` is given for one case, and the figures that it allows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

from pullback import evaluate, io
from pullback.cli.known import known
from pullback.cli.options import UsageError
from pullback.errors import FileFormatError, InputError, PullbackWarning
from pullback.evaluate import Figures
from pullback.image import Image, Labels
from pullback.io.images.read import open_image
from pullback.registration import saved
from pullback.space import Space
from pullback.transforms import Affine, Transform, resample_labels


@dataclass(frozen=True)
class Evidence:
    """Files of one case; the fields are the options of the command and the columns of a list of cases.

    Attributes:
        result: a result folder, or a transform file.
        fixed: the fixed image; where the result says it is, by default.
        moving: likewise.
        fixed_labels: labels of the fixed image.
        moving_labels: labels of the moving image, as they were.
        warped_labels: labels already on the grid of `fixed_labels`; then nothing else is asked of a result.
        fixed_points: landmarks in the fixed image.
        moving_points: the same in the moving image.
        truth: the right transform.
        backward: a result or transform the other way round.
        mask: the fixed voxels that count.
    """

    result: Path | None = None
    fixed: Path | None = None
    moving: Path | None = None
    fixed_labels: Path | None = None
    moving_labels: Path | None = None
    warped_labels: Path | None = None
    fixed_points: Path | None = None
    moving_points: Path | None = None
    truth: Path | None = None
    backward: Path | None = None
    mask: Path | None = None

    def figures(self, only: frozenset[int] = frozenset(), inverse: bool = False) -> Figures:
        """Everything that can be measured.

        Args:
            only: the labels that count; all by default.
            inverse: whether to measure the numerical inverse where there is no `backward`.

        Raises:
            InputError: a file cannot be used, or something is missing.
        """
        if self.result is None:
            return self._maps(only)
        if self.warped_labels is not None:
            raise UsageError("give either a result, or labels that are warped already")
        transform, fixed, moving = self._registered(self.result)
        points = [None if path is None else io.read_points(path) for path in (self.fixed_points, self.moving_points)]
        labels = [
            None if path is None else _labels(path, only, self._frame(side))
            for side, path in (("fixed", self.fixed_labels), ("moving", self.moving_labels))
        ]
        return evaluate.assess(
            transform,
            fixed,
            moving=moving,
            fixed_labels=labels[0],
            moving_labels=labels[1],
            fixed_points=points[0],
            moving_points=points[1],
            truth=None if self.truth is None else io.read_transform(self.truth),
            backward=None if self.backward is None else known(self.backward, False, None)[0],
            mask=None if self.mask is None else io.read_image(self.mask),
            inverse=inverse,
        )

    def _maps(self, only: frozenset[int]) -> Figures:
        if self.fixed_labels is None or self.warped_labels is None:
            raise UsageError("without a result, fixed_labels and warped_labels are needed: two label maps on one grid")
        return compare_maps(self.fixed_labels, self.warped_labels, only)

    def _registered(self, path: Path) -> tuple[Transform, Image | Space, Image | None]:
        """The transform, the fixed image (or only its grid), the moving image."""
        transform, grid = known(path, False, None)
        images = {name: self._image(path, name) for name in ("fixed", "moving")}
        if grid is None:
            if images["fixed"] is None:
                raise UsageError(f"{path} does not say where the fixed image lies: add --fixed IMAGE")
            return transform, images["fixed"], images["moving"]
        images = {name: None if image is None else _lifted(image, path, name) for name, image in images.items()}
        if images["fixed"] is None or images["moving"] is None:
            return transform, grid, None
        if not images["fixed"].space.same_as(grid):
            raise InputError(f"the fixed image is not the one of {path}: it lies on {images['fixed'].space!r}, and the "
                             f"registration was on {grid!r}")  # fmt: skip
        return transform, images["fixed"], images["moving"]

    def _frame(self, side: str) -> int | None:
        """Which frame of a series in time was registered."""
        if self.result is None or not self.result.is_dir():
            return None
        frame: int | None = saved.read_summary(self.result)["provenance"].get(f"{side}_frame")
        return frame

    def _image(self, path: Path, name: str) -> Image | None:
        given: Path | None = getattr(self, name)
        if not path.is_dir():
            return None if given is None else io.read_image(given)
        made, frame = saved.read_summary(path)["provenance"], self._frame(name)
        if given is not None:
            return io.read_image(given, frame=frame)
        try:
            return None if made.get(name) is None else io.read_image(made[name], frame=frame)
        except FileFormatError as error:
            message = f"the similarities are left out ({error}); give --fixed and --moving to have them"
            warnings.warn(message, PullbackWarning, stacklevel=1)
            return None


def compare_maps(first: Path, second: Path, only: frozenset[int] = frozenset(), resample: bool = False) -> Figures:
    """The figures of two label maps.

    Args:
        first: the one to compare with.
        second: the one to judge.
        only: the labels that count; all by default.
        resample: whether the second may lie on another grid; its nearest labels are then taken.
    """
    fixed, warped = _labels(first, only), _labels(second, only)
    if not fixed.space.same_as(warped.space):
        if not resample:
            raise InputError(f"{first} and {second} lie on different grids, {fixed.space!r} and {warped.space!r}; with "
                             "--resample the second is carried onto the first's by the nearest label")  # fmt: skip
        warped = resample_labels(warped, Affine.identity(fixed.dimension), fixed.space)
    return evaluate.compare_labels(fixed, warped)


def _labels(path: Path, only: frozenset[int], frame: int | None = None) -> Labels:
    """Labels of one image, or of a series in time of which a frame was registered."""
    labels = io.read_labels(path, frame=frame if open_image(path).frames > 1 else None)
    if not only:
        return labels
    wanted = torch.isin(labels.data, torch.tensor(sorted(only), dtype=labels.data.dtype))
    return Labels(labels.data * wanted, labels.space)


def _lifted(image: Image, folder: Path, name: str) -> Image:
    """The image as the registration saw it: a plane beside a volume of one slice became one too."""
    space = saved.space_of(saved.read_summary(folder), "fixed" if name == "fixed" else "moving")
    if image.dimension == space.dimension:
        return image
    return Image(image.data.reshape(-1, *space.shape), space)
