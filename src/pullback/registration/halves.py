"""What a symmetric registration leaves beside its result: both halves, and the image in the middle.

- to_fixed.h5, to_moving.h5: the halves, from the middle to either image
- middle.nii.gz: the mean of both images pulled to the middle; its grid is that of the halves
"""

from pathlib import Path

import torch

from pullback import io
from pullback.image import Image
from pullback.registration.folder import HALVES
from pullback.transforms import Halfway, Transform, resample


def write_halves(halfway: Halfway, fixed: Image, moving: Image, folder: Path) -> None:
    """Write the three files into a folder that exists."""
    names = [folder / name for name in HALVES]
    io.write_transform(halfway.to_fixed, names[0], onto=halfway.space)
    io.write_transform(halfway.to_moving, names[1], onto=halfway.space)
    both = [
        resample(Image(image.data.to(torch.float32), image.space), half, halfway.space)
        for image, half in ((fixed, halfway.to_fixed), (moving, halfway.to_moving))
    ]
    io.write_image(Image((both[0].data + both[1].data) / 2, halfway.space), names[2])


def read_transform(folder: Path) -> Transform:
    """The transform of a result folder: its halves where there are any, so that its inverse is as exact as it was.

    Raises:
        FileFormatError: a file is missing or damaged.
    """
    if not (folder / HALVES[0]).is_file():
        return io.read_transform(folder / "transform.h5")
    to_fixed, to_moving = (io.read_transform(folder / name) for name in HALVES[:2])
    return Halfway(to_fixed, to_moving, io.read_image(folder / HALVES[2]).space)
