"""The shapes that appear in signatures, in one place.

`Float[Tensor, "b c *spatial"]` reads: a floating-point tensor of batch, channels, then the spatial axes in data order
(slowest first). Shapes are checked at run time only in the tests.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from jaxtyping import Float, Int, Shaped
from torch import Tensor

Interpolation: TypeAlias = Literal["nearest", "linear", "cubic"]
"""How values between voxel centres are found."""

Batch: TypeAlias = Float[Tensor, "b c *spatial"]
"""Images as ops see them: batch, channel, then spatial axes."""

Matrix: TypeAlias = Float[Tensor, "rows columns"]
"""A homogeneous matrix, (D+1, D+1), or its first D rows."""

Field: TypeAlias = Float[Tensor, "d *spatial"]
"""A vector at every voxel, components first, in mm along the world axes."""

PointsTensor: TypeAlias = Float[Tensor, "*n d"]
"""Points, coordinates last."""

Shape: TypeAlias = tuple[int, ...]
"""Spatial extent, in data order."""

PerAxis: TypeAlias = Sequence[float]
"""One number for each spatial axis, in data order."""

__all__ = [
    "Batch",
    "Field",
    "Float",
    "Int",
    "Interpolation",
    "Matrix",
    "PerAxis",
    "PointsTensor",
    "Shape",
    "Shaped",
    "Tensor",
]
