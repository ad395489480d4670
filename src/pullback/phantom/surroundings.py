"""What lies around the heart in a short-axis picture of the chest: wall, lungs, liver, stomach, aorta, spine."""

from collections.abc import Iterator

import torch

from pullback.phantom.anatomy import Layer
from pullback.phantom.shapes import bump, ellipse, polar
from pullback.phantom.texture import Texture
from pullback.typing import PointsTensor

MIDDLE = (48.0, 34.0)
"""(u, v) of the middle of the chest in the heart's frame, mm."""


def body_layers(points: PointsTensor, vessels: Texture) -> Iterator[Layer]:
    """The chest from the outside to the inside: each tissue covers those before it.

    Args:
        points: (N, 3) in the heart's frame.
        vessels: a texture whose peaks are the vessels of lung and liver.
    """
    speckle = vessels(points)
    skin = ellipse(points, MIDDLE, (172.0, 140.0), -32, power=2.4)
    _, angle = polar(points - points.new_tensor([*MIDDLE, 0.0]))
    thick = 15 + 9 * bump(angle, 1.9, 0.8) + 5 * torch.cos(3 * angle + 2.2) + 2 * torch.cos(7 * angle)
    yield "fat", skin
    muscle = skin + thick
    yield "muscle", muscle
    yield "fat", torch.maximum(muscle + 5, -(muscle + 7.5))  # the layer between the muscles
    cavity = muscle + 14 + 1.2 * torch.cos(11 * angle)
    ribs = torch.maximum((muscle + 11).abs() - 3.2, 9 * (torch.cos(11 * angle + 0.02 * points[:, 2]) - 0.35))
    yield "bone", ribs
    yield "marrow", ribs + 1.6
    yield "lung", cavity
    yield "vessel", torch.maximum(1.3 * (2.1 - speckle), cavity + 4)
    yield from _below(points, cavity, speckle)
    yield "bone", ellipse(points, (66.0, 128.0), (25.0, 21.0), 10, power=2.6)
    yield "marrow", ellipse(points, (66.0, 128.0), (23.0, 19.0), 10, power=2.6)
    yield "canal", ellipse(points, (74.0, 158.0), (10.0, 8.0))
    yield "wall", ellipse(points, (57.0, 84.0), (12.5, 12.5))
    yield "artery", ellipse(points, (57.0, 84.0), (11.0, 11.0))


def _below(points: PointsTensor, cavity: torch.Tensor, speckle: torch.Tensor) -> Iterator[Layer]:
    """Under the diaphragm, whose dome rises towards the apex."""
    rise = 0.25 * points[:, 2]
    down = points - torch.stack([torch.zeros_like(rise), rise, torch.zeros_like(rise)], dim=1)
    liver = torch.maximum(ellipse(down, (-22.0, 104.0), (88.0, 58.0), 12, power=2.4), cavity + 1)
    yield "fat", liver - 1.5
    yield "liver", liver
    yield "liver vessel", torch.maximum(1.4 * (1.7 - speckle), liver + 4)
    stomach = torch.maximum(ellipse(down, (104.0, 62.0), (30.0, 22.0), -35), cavity + 1)
    yield "fat", stomach - 5
    yield "muscle", stomach
    yield "content", stomach + 3
    spleen = torch.maximum(ellipse(down, (132.0, 96.0), (30.0, 17.0), -60), cavity + 1)
    yield "spleen", spleen
