"""Image, Labels and Points: data that knows where it lies in the patient.

They are values: nothing changes them after they are made. Reading and writing files is the business of `pullback.io`,
moving them through a transform that of `pullback.transforms.apply`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from pullback.errors import InputError, SpaceError
from pullback.space import Space
from pullback.typing import Float, Int, PerAxis, Tensor


@dataclass(frozen=True, eq=False)
class Image:
    """Intensities on a grid.

    Attributes:
        data: (channels, *space.shape) floating point.
        space: where the voxels lie.

    Raises:
        SpaceError: the data does not have the shape of the space.

    Example:
        >>> image = Image.of(np.zeros((40, 64)), spacing=1.5)
        >>> image.data.shape, image.space.spacing
        (torch.Size([1, 40, 64]), (1.5, 1.5))
    """

    data: Float[Tensor, "c *spatial"]
    space: Space

    def __post_init__(self) -> None:
        if tuple(self.data.shape[1:]) != self.space.shape:
            raise SpaceError(f"image data of shape {tuple(self.data.shape)} does not fit {self.space!r}; "
                             "it must be (channels, *space.shape)")  # fmt: skip

    @classmethod
    def of(cls, array: np.ndarray | Tensor, spacing: float | PerAxis = 1.0, space: Space | None = None) -> Image:
        """An image of one channel from a bare array, (rows, columns) or (slices, rows, columns).

        Args:
            array: the intensities, of any numeric type.
            spacing: mm between voxels, one number or one for each axis in data order; placed as ITK places bare arrays.
            space: the exact place, instead of a spacing.
        """
        data = to_float(array)
        if data.ndim not in (2, 3):
            raise InputError(f"a bare array must have 2 or 3 axes; got the shape {tuple(data.shape)}; "
                             "for channels build Image(data, space) yourself")  # fmt: skip
        return cls(data[None], space if space is not None else Space.of_array(data.shape, spacing))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    @property
    def channels(self) -> int:
        """Number of values at each voxel."""
        return int(self.data.shape[0])

    def to(self, device: torch.device | str) -> Image:
        """The same image with its data on a device."""
        return replace(self, data=self.data.to(device))

    def numpy(self) -> np.ndarray:
        """The intensities as an array in data order; the channel axis is dropped when there is one channel."""
        array: np.ndarray = self.data.detach().cpu().numpy()
        return array[0] if self.channels == 1 else array

    def __repr__(self) -> str:
        return f"Image({self.channels} channel{'s' * (self.channels != 1)}, {self.space!r})"


@dataclass(frozen=True, eq=False)
class Labels:
    """Integer labels on a grid; 0 is background. They are never averaged.

    Attributes:
        data: (*space.shape) integer.
        space: where the voxels lie.

    Raises:
        SpaceError: the data does not have the shape of the space.
        InputError: the data is not integer.
    """

    data: Int[Tensor, "*spatial"]
    space: Space

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != self.space.shape:
            raise SpaceError(f"labels of shape {tuple(self.data.shape)} do not fit {self.space!r}")
        if self.data.is_floating_point() or self.data.is_complex():
            raise InputError(f"labels must be whole numbers; got {self.data.dtype}; round them first, or use Image")

    @classmethod
    def of(cls, array: np.ndarray | Tensor, spacing: float | PerAxis = 1.0, space: Space | None = None) -> Labels:
        """Labels from a bare array whose values are whole numbers, whatever its type."""
        tensor = to_tensor(array)
        if tensor.is_floating_point():
            rounded = tensor.round()
            if not torch.equal(rounded, tensor):
                raise InputError("labels must be whole numbers; this array has fractions: is it an image?")
            tensor = rounded.to(torch.int32)
        elif tensor.dtype in (torch.bool, torch.uint8, torch.int8):
            tensor = tensor.to(torch.int16)
        return cls(tensor, space if space is not None else Space.of_array(tensor.shape, spacing))

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    @property
    def values(self) -> tuple[int, ...]:
        """The labels that occur, without the background."""
        return tuple(int(v) for v in self.data.unique() if v != 0)

    def numpy(self) -> np.ndarray:
        """The labels as an array in data order."""
        array: np.ndarray = self.data.detach().cpu().numpy()
        return array

    def __repr__(self) -> str:
        return f"Labels({len(self.values)} labels, {self.space!r})"


@dataclass(frozen=True, eq=False)
class Points:
    """Points in world RAS+ mm.

    Attributes:
        world: (N, D) floating point, mm.
    """

    world: Float[Tensor, "n d"]

    def __post_init__(self) -> None:
        if self.world.ndim != 2 or self.world.shape[1] not in (2, 3):
            raise InputError(f"points must be (N, 2) or (N, 3); got the shape {tuple(self.world.shape)}")

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return int(self.world.shape[1])

    def numpy(self) -> np.ndarray:
        """(N, D) array, mm."""
        array: np.ndarray = self.world.detach().cpu().numpy()
        return array


def to_tensor(array: np.ndarray | Tensor) -> Tensor:
    """A tensor over the same numbers, whatever their type and byte order."""
    if isinstance(array, Tensor):
        return array.detach()
    array = np.asarray(array)
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise InputError(f"an image must hold real numbers; got an array of type {array.dtype}")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:  # torch computes little with wide unsigned integers
        array = array.astype({2: np.int32}.get(array.dtype.itemsize, np.int64))
    return torch.from_numpy(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))


def to_float(array: np.ndarray | Tensor) -> Tensor:
    """The same numbers as float32 (float64 stays float64 only in tensors that already are)."""
    if isinstance(array, Tensor):
        return array.detach() if array.is_floating_point() else array.detach().to(torch.float32)
    return to_tensor(array).to(torch.float32)
