"""The shapes that appear in signatures, in one place.

`Float[Tensor, "b c *spatial"]` reads: a floating-point tensor of batch, channels, then the spatial axes in data order
(slowest first). Shapes are checked at run time only in the tests. In one signature a name stands for one size; a name
with an underscore in front is only for the reader. The aliases here bind nothing, so that two of them may differ in
size in one signature; where sizes must agree, the signature spells its shapes out.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from jaxtyping import Float, Int, Integer, Shaped
from torch import Tensor

Interpolation: TypeAlias = Literal["nearest", "linear", "cubic"]
"""How values between voxel centres are found."""

Batch: TypeAlias = Float[Tensor, "_b _c *_spatial"]
"""Images as ops see them: batch, channel, then spatial axes."""

Matrix: TypeAlias = Float[Tensor, "*_b _rows _columns"]
"""A matrix: homogeneous (D+1, D+1), its first D rows, or its linear part (D, D)."""

Field: TypeAlias = Float[Tensor, "_d *_spatial"]
"""A vector at every voxel, components first, in mm along the world axes."""

PointsTensor: TypeAlias = Float[Tensor, "*_n _d"]
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
    "Integer",
    "Interpolation",
    "Matrix",
    "PerAxis",
    "PointsTensor",
    "Shape",
    "Shaped",
    "Tensor",
]
