"""Overlap of labels."""

import math

from pullback.errors import SpaceError
from pullback.image import Labels


def dice(fixed: Labels, warped: Labels) -> dict[int, float]:
    """For each label the overlap 2 |A and B| / (|A| + |B|): 1 is perfect, 0 is none.

    Dice, Ecology 26(3), 1945. Warp labels with the nearest neighbour (`resample_labels`).

    Args:
        fixed: labels of the fixed image.
        warped: labels of the moving image, pulled back onto the fixed one's grid.

    Returns:
        A number for each label of either, background left out; NaN where a label is absent from one of them.

    Raises:
        SpaceError: they do not lie on one grid.

    Example:
        >>> import numpy as np
        >>> dice(Labels.of(np.array([[1, 1, 0, 2]])), Labels.of(np.array([[0, 1, 1, 0]])))
        {1: 0.5, 2: nan}
    """
    return {
        label: 2 * both / (one + other) if min(one, other) > 0 else math.nan
        for label, (one, other, both) in _counts(fixed, warped).items()
    }


def jaccard(fixed: Labels, warped: Labels) -> dict[int, float]:
    """For each label |A and B| / |A or B|, the same as Dice / (2 - Dice): 1 is perfect, 0 is none.

    Jaccard, Bulletin de la Societe Vaudoise des Sciences Naturelles 37, 1901.

    Args:
        fixed: labels of the fixed image.
        warped: labels of the moving image, pulled back onto the fixed one's grid.

    Returns:
        A number for each label of either, background left out; NaN where a label is absent from one of them.

    Raises:
        SpaceError: they do not lie on one grid.

    Example:
        >>> import numpy as np
        >>> jaccard(Labels.of(np.array([[1, 1, 0, 2]])), Labels.of(np.array([[1, 1, 1, 1]])))
        {1: 0.5, 2: nan}
    """
    return {
        label: both / (one + other - both) if min(one, other) > 0 else math.nan
        for label, (one, other, both) in _counts(fixed, warped).items()
    }


def mean_dice(fixed: Labels, warped: Labels) -> float:
    """The mean of `dice` over the labels that both have; NaN if there are none.

    Example:
        >>> import numpy as np
        >>> mean_dice(Labels.of(np.array([[1, 1, 0, 2]])), Labels.of(np.array([[0, 1, 1, 0]])))
        0.5
    """
    found = [value for value in dice(fixed, warped).values() if not math.isnan(value)]
    return sum(found) / len(found) if found else math.nan


def _counts(fixed: Labels, warped: Labels) -> dict[int, tuple[int, int, int]]:
    """Voxels of each label in the one, in the other, in both."""
    check_one_grid(fixed, warped)
    result = {}
    for label in sorted({*fixed.values, *warped.values}):
        a, b = fixed.data == label, warped.data == label
        result[label] = int(a.sum()), int(b.sum()), int((a & b).sum())
    return result


def check_one_grid(fixed: Labels, warped: Labels) -> None:
    """Raise SpaceError unless both lie on one grid."""
    if not fixed.space.same_as(warped.space):
        raise SpaceError(f"labels to compare must lie on one grid in one place; got {fixed.space!r} and "
                         f"{warped.space!r}; pull the moving labels back onto the fixed grid first")  # fmt: skip
