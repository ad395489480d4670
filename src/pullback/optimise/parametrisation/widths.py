"""Widths of Gaussians that reach as far, in mm, along every axis."""

from pullback.space import Space


def sigmas(voxels: float, space: Space) -> list[float]:
    """A width in voxels of the finest axis, as the same width in mm along every axis, in voxels of each."""
    return [voxels * space.finest / s for s in space.spacing]
