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
from pullback.typing import Float, Integer, PerAxis, Tensor


@dataclass(frozen=True, eq=False)
class Image:
    """Intensities on a grid.

    Attributes:
        data: (channels, *space.shape) floating point.
        space: where the voxels lie.

    Raises:
        SpaceError: the data does not have the shape of the space.
        InputError: the data is not floating point.

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
        if not self.data.is_floating_point():
            raise InputError(f"an image needs floating-point data; got {self.data.dtype}; convert it, or use Image.of")

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

    data: Integer[Tensor, "*spatial"]
    space: Space

    def __post_init__(self) -> None:
        if tuple(self.data.shape) != self.space.shape:
            raise SpaceError(f"labels of shape {tuple(self.data.shape)} do not fit {self.space!r}")
        if self.data.is_floating_point() or self.data.is_complex() or self.data.dtype == torch.bool:
            raise InputError(f"labels must be whole numbers; got {self.data.dtype}; use Labels.of, or Image")

    @classmethod
    def of(cls, array: np.ndarray | Tensor, spacing: float | PerAxis = 1.0, space: Space | None = None) -> Labels:
        """Labels from a bare array whose values are whole numbers, whatever its type."""
        tensor = to_tensor(array)
        space = space if space is not None else Space.of_array(tensor.shape, spacing)
        if tensor.is_floating_point():
            if not torch.equal(tensor.round(), tensor) or bool(torch.isinf(tensor).any()):  # NaN is equal to nothing
                raise InputError(
                    "labels must be whole numbers; this array has fractions, NaN or infinity: is it an image?"
                )
            tensor = tensor.to(torch.int32 if float(tensor.abs().max()) < 2**31 else torch.int64)
        elif tensor.dtype in (torch.bool, torch.uint8, torch.int8):
            tensor = tensor.to(torch.int16)
        return cls(tensor, space)

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return self.space.dimension

    @property
    def values(self) -> tuple[int, ...]:
        """The labels that occur, without the background."""
        return tuple(v for v in torch.unique(self.data).tolist() if v != 0)

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
        if not self.world.is_floating_point():
            raise InputError(f"points need floating-point coordinates in mm; got {self.world.dtype}; convert them")

    @property
    def dimension(self) -> int:
        """2 or 3."""
        return int(self.world.shape[1])

    def numpy(self) -> np.ndarray:
        """(N, D) array, mm."""
        array: np.ndarray = self.world.detach().cpu().numpy()
        return array


def to_tensor(array: np.ndarray | Tensor) -> Tensor:
    """A tensor of the same numbers, whatever their type and byte order; it shares their memory where it can."""
    if isinstance(array, Tensor):
        if array.is_complex():
            raise InputError("real numbers are needed; got a complex tensor; take its magnitude or a part of it")
        return array.detach()
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise InputError(f"real numbers are needed; got an array of type {array.dtype}")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:  # torch computes little with wide unsigned integers
        array = array.astype({2: np.int32}.get(array.dtype.itemsize, np.int64))
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:  # and nothing with more than double precision
        array = array.astype(np.float64)
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def to_float(array: np.ndarray | Tensor) -> Tensor:
    """The same numbers as float32; a tensor that is float64 stays so."""
    tensor = to_tensor(array)
    double = isinstance(array, Tensor) and array.dtype == torch.float64
    return tensor if double else tensor.to(torch.float32)
