"""Plane shapes as functions that are negative inside and close to the distance to the border, in mm.

All take points (N, 3) of the heart's frame and look at the first two coordinates.
"""

import math

import torch

from pullback.typing import Float, PointsTensor, Tensor

Function = Float[Tensor, " n"]


def polar(points: PointsTensor) -> tuple[Function, Function]:
    """Distance from the axis in mm, and the angle in radians from u towards v.

    Example:
        >>> polar(torch.tensor([[0.0, 2.0, 0.0]]))
        (tensor([2.]), tensor([1.5708]))
    """
    return torch.hypot(points[:, 0], points[:, 1]), torch.atan2(points[:, 1], points[:, 0])


def distance(r: Function, square: Function, slope: Function) -> Function:
    """About the distance from the surface r^2 = square(w): the difference over the length of its gradient.

    Args:
        r: distance from the axis.
        square: squared radius of the surface at this level; negative where it does not reach.
        slope: d square / dw.
    """
    return (r * r - square) / torch.sqrt((r + square.clamp(min=0).sqrt()) ** 2 + slope * slope + 1)


def ellipse(
    points: PointsTensor,
    centre: tuple[float, float],
    half: tuple[float, float],
    degrees: float = 0.0,
    scale: Function | float = 1.0,
    power: float = 2.0,
) -> Function:
    """An ellipse, or with a higher power a rounded box.

    Args:
        points: (N, 3).
        centre: (u, v) of its middle.
        half: half axes along its own u and v.
        degrees: turn about its middle, from u towards v.
        scale: of the figure and the place of its middle, about the axis; one number, or one for each point.
        power: 2 for an ellipse.
    """
    a = math.radians(degrees)
    u, v = points[:, 0] / scale - centre[0], points[:, 1] / scale - centre[1]
    p = ((math.cos(a) * u + math.sin(a) * v) / half[0]).abs()
    q = ((math.cos(a) * v - math.sin(a) * u) / half[1]).abs()
    level = (p**power + q**power + 1e-9) ** (1 / power)  # 1 on the border
    gradient = torch.sqrt((p / half[0]) ** 2 + (q / half[1]) ** 2) / level.clamp(min=1e-3) + 1e-3
    return (level - 1) / gradient * scale


def bump(angle: Function, middle: float, width: float) -> Function:
    """A smooth hill of height 1 about an angle, radians."""
    return torch.exp((torch.cos(angle - middle) - 1) / width**2)
