"""one_contrast: how unlike two images are that differ by their pose, their shading and noise, and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from pullback import ops
from pullback.energy import Pair
from pullback.energy.pair import counted_weight, where_read
from pullback.transforms import Transform
from pullback.typing import Batch, Float, Tensor

LEAST = 1e-9
"""What cannot be told apart from nothing, as a part of the largest eigenvalue."""
LEAST_SHARE = 1e-8
"""Keeps the slope of a root finite where the images are equal."""

FAR = 5.0
"""Standard deviations at which a place counts for a quarter."""
REWEIGHED = 3
"""The standard deviation is that of what counts, so that it takes some rounds."""


@dataclass(frozen=True, eq=False)
class OneContrast:
    """The share of the moving image's variance that no smoothly shaded fixed image explains.

    Shaded is a(x) fixed(x) + b(x), with the gain a and the offset b, linear in x, that come nearest at the time. Coils
    shade an image smoothly, and two scans differently; left alone, a tenth of gain across a stack was seen to draw it
    by a fiftieth of a slice. The places that count are those of a transform that is nearly right.

    Attributes:
        pair: the images.
        root: (voxels,), of how much each place counts; all alike if None.
        bases: for each channel (n, voxels), orthonormal: all that shaded fixed images can be.
    """

    pair: Pair
    root: Float[Tensor, " voxels"] | None
    bases: tuple[Float[Tensor, "n voxels"], ...]

    @staticmethod
    def of(pair: Pair, transform: Transform) -> OneContrast:
        """The measure for a pair, near a transform."""
        with torch.no_grad():
            weight = counted_weight(pair, where_read(pair, transform))
            root = None if weight is None else weight.flatten().sqrt()
            return OneContrast(pair, root, _bases(pair, root))

    def share(self, transform: Transform) -> Float[Tensor, ""]:
        """From 0 to 1, the mean over channels; differentiable in the transform's tensors."""
        where = where_read(self.pair, transform)
        warped = ops.sample(self.pair.moving, *where, shape=self.pair.fixed_space.shape)
        shares = [self._share(channel.flatten(), basis) for channel, basis in zip(warped[0], self.bases, strict=True)]
        return torch.stack(shares).mean()

    def difference(self, transform: Transform) -> Float[Tensor, ""]:
        """The root of the share: a root mean square difference, in standard deviations of the moving image.

        For noise of unknown strength, that is what should be small; of several that are added, each weighs by its
        inverse.
        """
        return (self.share(transform) + LEAST_SHARE).sqrt()

    def correlation(self, transform: Transform) -> float:
        """Of the moving image with what explains it best."""
        with torch.no_grad():
            return float((1 - self.share(transform)).clamp(min=0).sqrt())

    def without_strangers(self, transform: Transform) -> OneContrast:
        """The same, with places that are many standard deviations off counting less (Geman and McClure's weights).

        What one image shows and the other does not, a border or a bright artefact, would else outweigh all the rest.

        Args:
            transform: one that is nearly right.
        """
        with torch.no_grad():
            where = where_read(self.pair, transform)
            warped = ops.sample(self.pair.moving, *where, shape=self.pair.fixed_space.shape)[0].flatten(1)
            counts = torch.ones_like(warped[0]) if self.root is None else self.root.square()
            now, bases = counts, self.bases
            for _ in range(REWEIGHED):
                root = now.sqrt()
                left = torch.stack([_left(values, basis, root) for values, basis in zip(warped, bases, strict=True)])
                variance = (left.square() * now).sum(dim=1, keepdim=True) / now.sum().clamp(min=1e-6)
                off = (left.square() / variance.clamp(min=1e-12)).mean(dim=0)
                now = counts / (1 + off / FAR**2) ** 2
                bases = _bases(self.pair, now.sqrt())
        return OneContrast(self.pair, now.sqrt(), bases)

    def _share(self, values: Float[Tensor, " voxels"], basis: Float[Tensor, "n voxels"]) -> Float[Tensor, ""]:
        if self.root is None:
            spread = values - values.mean()
        else:
            squared = self.root.square()
            spread = (values - (values * squared).sum() / squared.sum().clamp(min=1e-6)) * self.root
        left = spread - (basis @ spread) @ basis
        return left.square().sum() / spread.square().sum().clamp(min=1e-12)


def _bases(pair: Pair, root: Float[Tensor, " voxels"] | None) -> tuple[Float[Tensor, "n voxels"], ...]:
    slopes = _slopes(pair.fixed)
    return tuple(_orthonormal(torch.cat([slopes, slopes * channel.flatten()]), root) for channel in pair.fixed[0])


def _left(
    values: Float[Tensor, " voxels"], basis: Float[Tensor, "n voxels"], root: Float[Tensor, " voxels"]
) -> Float[Tensor, " voxels"]:
    """What the shaded fixed image does not explain of an image, in the image's own unit."""
    weighed = values * root
    explained = (basis @ weighed) @ basis
    return values - explained / root.clamp(min=1e-6)


def _orthonormal(rows: Float[Tensor, "n voxels"], root: Float[Tensor, " voxels"] | None) -> Float[Tensor, "m voxels"]:
    """Rows that span the same, each of length 1 and none along another; fewer where the rows depend on each other."""
    rows = rows if root is None else rows * root
    values, vectors = torch.linalg.eigh((rows @ rows.T).to("cpu", torch.float64))
    kept = values > LEAST * values[-1]
    found: Tensor = (vectors[:, kept] / values[kept].sqrt()).T.to(rows) @ rows
    return found


def _slopes(image: Batch) -> Float[Tensor, "n voxels"]:
    """1, and -1 to 1 along each axis that has any extent."""
    shape = image.shape[2:]
    found = [torch.ones(shape)]
    for axis, n in enumerate(shape):
        if n > 1:
            along = torch.linspace(-1, 1, n).reshape([-1 if a == axis else 1 for a in range(len(shape))])
            found.append(along.expand(shape))
    return torch.stack(found).flatten(1).to(image)
