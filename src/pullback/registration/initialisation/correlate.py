"""correlate: how alike two sets of features are at every shift by whole voxels, where both count."""

from __future__ import annotations

import torch

from pullback.typing import Float, Shape, Tensor

SMOOTH_FACTORS = (2, 3, 5)


class Spectra:
    """The Fourier transforms of one image's features, weighted; made once and used for many partners.

    Args:
        features: (k, *spatial).
        weight: (*spatial) in [0, 1].
        shape: the padded size, at least the sum of both images' sizes less 1 along each axis.
    """

    def __init__(self, features: Float[Tensor, "k *spatial"], weight: Float[Tensor, "*spatial"], shape: Shape) -> None:
        axes = tuple(range(-len(shape), 0))
        self.shape, self.axes = shape, axes
        self.weight = torch.fft.rfftn(weight, s=shape, dim=axes)
        self.values = torch.fft.rfftn(features * weight, s=shape, dim=axes)
        self.power = torch.fft.rfftn((features**2).sum(dim=0) * weight, s=shape, dim=axes)


@torch.no_grad()
def correlate(fixed: Spectra, moving: Spectra, least: float) -> tuple[Tensor, Tensor]:
    """The correlation of the features over the voxels where both images count, for every shift.

    Masked normalised correlation as by Padfield, IEEE Transactions on Image Processing 21(5), 2012, summed over the
    features; these have no mean to take off.

    Args:
        fixed: spectra of the fixed image's features.
        moving: those of the moving image's, of the same padded shape.
        least: shifts under which fewer voxels meet than this get -1.

    Returns:
        (correlation, met), both (*shape): the value at index k is that of the moving image shifted by k voxels (modulo
        the shape), and how many voxels meet there.
    """

    def together(a: Tensor, b: Tensor) -> Tensor:
        back: Tensor = torch.fft.irfftn(a * b.conj(), s=fixed.shape, dim=fixed.axes)
        return back

    met = together(fixed.weight, moving.weight)
    product = torch.fft.irfftn((fixed.values * moving.values.conj()).sum(dim=0), s=fixed.shape, dim=fixed.axes)
    power = together(fixed.power, moving.weight) * together(fixed.weight, moving.power)
    tiny = 1e-4 * float(power.max()) + 1e-20
    return torch.where((met >= least) & (power > tiny), product / power.clamp(min=tiny).sqrt(), -1.0), met


def padded(one: Shape, other: Shape) -> Shape:
    """A size at which no shift of one image wraps round onto the other, with small prime factors."""
    return tuple(_fast(a + b - 1) for a, b in zip(one, other, strict=True))


def _fast(n: int) -> int:
    while True:
        rest = n
        for factor in SMOOTH_FACTORS:
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += 1
