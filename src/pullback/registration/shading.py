"""shading: one image as a smoothly shaded copy of the other."""

from __future__ import annotations

import torch

from pullback.typing import Batch, Float, Tensor

LEAST = 1e-9
"""What cannot be told apart from nothing, as a part of the largest singular value."""


def shaded(image: Batch, like: Batch, weight: Batch | None = None) -> Batch:
    """a(x) image(x) + b(x), with the gain a and the offset b, linear in x, that come nearest to `like`.

    Coils shade an image smoothly, and two scans differently: half a slice of bias in a stack was seen to draw a shift
    by a tenth of a slice. A gain and an offset that change linearly take most of it.

    Args:
        image: (1, c, *shape), what is shaded.
        like: (1, c, *shape), what the result shall look like.
        weight: (1, 1, *shape), how much each voxel counts in least squares; all alike by default.

    Returns:
        (1, c, *shape).
    """
    slopes = _slopes(tuple(image.shape[2:]), image)
    root = None if weight is None else weight.flatten().sqrt()
    channels = []
    for one, other in zip(image[0], like[0], strict=True):
        columns = torch.cat([slopes, slopes * one.flatten()])
        rows, wanted = columns, other.flatten()
        if root is not None:
            rows, wanted = rows * root, wanted * root
        square = (rows @ rows.T).to("cpu", torch.float64)
        right = (rows @ wanted).to("cpu", torch.float64)
        best = torch.linalg.pinv(square, rtol=LEAST, hermitian=True) @ right
        channels.append((best.to(columns) @ columns).reshape(one.shape))
    return torch.stack(channels)[None]


def _slopes(shape: tuple[int, ...], like: Tensor) -> Float[Tensor, "n voxels"]:
    """1, and -1 to 1 along each axis that has any extent."""
    found = [torch.ones(shape)]
    for axis, n in enumerate(shape):
        if n > 1:
            found.append(
                torch.linspace(-1, 1, n).reshape([-1 if a == axis else 1 for a in range(len(shape))]).expand(shape)
            )
    return torch.stack(found).flatten(1).to(like)
