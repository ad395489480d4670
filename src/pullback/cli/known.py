"""A transform that is known already: in a result folder, which also knows both grids, or in a file, which does not."""

from __future__ import annotations

import warnings
from pathlib import Path

from pullback import io
from pullback.errors import PullbackWarning
from pullback.io.images.read import open_image
from pullback.registration import saved
from pullback.space import Space
from pullback.transforms import Transform


def known(path: Path, inverse: bool, onto: Path | None) -> tuple[Transform, Space | None]:
    """The transform to apply, and the grid to make if it is known.

    Args:
        path: a result folder or a transform file.
        inverse: whether to turn the transform round; the grid is then the moving image's.
        onto: an image that lies on the grid to make, which goes before what the folder says.
    """
    grid = None if onto is None else open_image(onto).space
    if path.is_dir():
        tree = saved.read_summary(path)
        transform = io.read_transform(path / "transform.h5")
        grid = saved.space_of(tree, "moving" if inverse else "fixed") if grid is None else grid
        if not tree.get("ok", True):
            message = f"{path} is of a registration that did not succeed: {tree.get('message')}"
            warnings.warn(message, PullbackWarning, stacklevel=1)
    else:
        transform = io.read_transform(path)
    return (transform.inverse() if inverse else transform), grid
