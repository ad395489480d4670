"""pairs: two images in whatever form, a recipe by name or value, and a result that can tell how it went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pullback import io
from pullback.api.inputs import Imageable, read_pair
from pullback.api.settings import chosen_device, find_recipe, provenance_of, settings
from pullback.energy import Landmarks, Surfaces
from pullback.errors import noted
from pullback.image import Image
from pullback.registration import Recipe, Registration, Suggestion, saved
from pullback.registration import register as fold
from pullback.registration import suggest as look
from pullback.registration.given import given, told
from pullback.registration.outcome import Watch, ignore
from pullback.transforms import Transform

AUTO = "auto"
"""In place of a recipe's name: look at the images first."""


def register(  # noqa: PLR0913 - the front door: what most callers leave out has a default and a name
    fixed: Imageable,
    moving: Imageable,
    recipe: str | Path | Recipe = "auto",
    *,
    initial: Transform | str | Path | None = None,
    fixed_mask: Imageable | None = None,
    moving_mask: Imageable | None = None,
    also: Mapping[str, tuple[Imageable, Imageable]] | None = None,
    masks: Mapping[str, tuple[Imageable | None, Imageable | None]] | None = None,
    landmarks: Landmarks | Sequence[Any] | None = None,
    surfaces: Surfaces | Mapping[str, Any] | Sequence[Any] | None = None,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    watch: Watch = ignore,
) -> Registration:
    """Align the moving image with the fixed one.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        recipe: a name ("deformable", "rigid", ...: `pullback recipe list` tells all), a YAML file, or a `Recipe`.
            "auto" takes what suits the images, see `suggest`; `result.provenance["chosen"]` tells what and why.
        initial: fixed world -> moving world, as known so far: a transform, or a file that holds one.
        fixed_mask: how much each fixed voxel counts, on its grid: 0 not at all, 1 (and any label above) fully.
        moving_mask: the same for the moving image, on its own grid.
        also: further pairs (fixed, moving) that terms compare, by name: other sequences, or label maps, on any grid.
        masks: by name, for terms that ask for one: (fixed, moving), either of them None for all of it.
        landmarks: (fixed, moving), each Points, a file, or (n, D) world mm; a third thing is sigma_mm, one for each.
        surfaces: (fixed, moving) points on a surface of both, in no order, or such pairs by name; also .vtk and .ply.
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
    known = None if recipe == AUTO else find_recipe(recipe)  # before anything is read: a name may be mistyped
    with noted() as notes:
        (f, m), own = read_pair(fixed, moving, fixed_mask, moving_mask)
        further = given(also or {}, masks or {}, landmarks, surfaces)
    start, device = _start(initial), chosen_device(device)
    known, begun, why = _suited(f, m, start, own, threads) if known is None else (known, None, {})
    with settings(threads, seed):
        result = fold(f, m, known, initial=start, fixed_mask=own[0], moving_mask=own[1], further=further,
                      device=device, watch=watch, begun=begun if device == "cpu" else None)  # fmt: skip
        provenance = provenance_of({"fixed": fixed, "moving": moving}, device, seed, notes)
        return replace(result, provenance=provenance | why | told(further))


def _start(initial: Transform | str | Path | None) -> Transform | None:
    return io.read_transform(initial) if isinstance(initial, str | Path) else initial


def _suited(
    fixed: Image, moving: Image, initial: Transform | None, masks: Sequence[Image | None], threads: int | None
) -> tuple[Recipe, Registration, dict[str, str]]:
    """The recipe that suits two images, what the look at them found on the CPU, and why, for the provenance."""
    with settings(threads, 0):
        found = look(fixed, moving, initial=initial, fixed_mask=masks[0], moving_mask=masks[1])
    return find_recipe(found.recipe), found.look, {"chosen": str(found)}


def suggest(
    fixed: Imageable,
    moving: Imageable,
    *,
    initial: Transform | str | Path | None = None,
    fixed_mask: Imageable | None = None,
    moving_mask: Imageable | None = None,
) -> Suggestion:
    """The recipe that `register` takes for two images where none is named, and why.

    Args:
        fixed: the image that stays.
        moving: the image that is pulled back.
        initial: fixed world -> moving world, as known so far: a transform, or a file that holds one.
        fixed_mask: how much each fixed voxel counts, on its grid.
        moving_mask: the same for the moving image, on its own grid.

    Raises:
        InputError: something given cannot be used; the message says what and what to do.

    Example:
        >>> import pullback as pb
        >>> pair = pb.phantom.make("pair")
        >>> pb.suggest(pair.fixed, pair.moving).recipe
        'deformable'
    """
    (f, m), own = read_pair(fixed, moving, fixed_mask, moving_mask)
    with settings(None, 0):
        return look(f, m, initial=_start(initial), fixed_mask=own[0], moving_mask=own[1])


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
