"""Widths of Gaussians that reach as far, in mm, along every axis."""

from pullback.space import Space


def sigmas(voxels: float, space: Space, unit_mm: float | None = None) -> list[float]:
    """A width in voxels of the finest axis (or of `unit_mm`), as the same in mm along every axis, in voxels of each."""
    return [voxels * (space.finest if unit_mm is None else unit_mm) / s for s in space.spacing]
