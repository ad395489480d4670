"""An animation of a tracking: the points on each frame, beside the frame pulled back, which should stand still."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image as Pillow

from pullback import io
from pullback.image import Labels
from pullback.registration.percentiles import percentiles
from pullback.typing import Float, Tensor

if TYPE_CHECKING:
    from pullback.cardiac.tracked import Tracking

PIXELS = 288
"""The longer side of each picture, about."""
POINTS_APART = 6
"""Voxels between tracked points, where there are no labels whose outline could be tracked."""
SLOWEST_SECONDS, USUAL_SECONDS = 0.5, 0.06
INK = (255, 196, 0)


def write(tracking: Tracking, path: Path, labels: Labels | None = None, frame_seconds: float | None = None) -> None:
    """Write a GIF, of the middle slice of a stack (with labels: of the slice that has most of them).

    Args:
        tracking: what to show.
        path: .gif.
        labels: of the fixed frame; the outlines that are followed.
        frame_seconds: from one frame to the next; about a twentieth of a second if unknown.
    """
    which = _slice(tracking, labels)
    points = _outline(labels, which) if labels is not None else _lattice(tracking, which)
    pages = [Pillow.fromarray(page) for page in _pages(tracking, points, which)]
    step = min(frame_seconds or USUAL_SECONDS, SLOWEST_SECONDS)
    with io.atomic(path) as one:
        pages[0].save(one, format="GIF", save_all=True, append_images=pages[1:], duration=round(1000 * step), loop=0)


def _pages(tracking: Tracking, points: Float[Tensor, "n d"], which: int) -> list[np.ndarray]:
    space = tracking.fixed.space
    low, high = percentiles(tracking.fixed.data[0], (0.5, 99.5))
    times = max(1, round(PIXELS / max(space.shape[-2:])))
    pages = []
    for t, (frame, transform) in enumerate(zip(tracking.frames, tracking.transforms, strict=True)):
        at = frame.space.to_voxels(transform(space.to_world(points)))
        pictures = []
        for image, marks in ((frame, at), (tracking.warped(t), points)):
            flat = image.data[0] if space.dimension == 2 else image.data[0, which]
            grey = ((flat.cpu() - low) / max(high - low, 1e-12)).clamp(0, 1).numpy()
            picture = np.repeat((255 * np.kron(grey, np.ones((times, times)))).astype(np.uint8)[..., None], 3, axis=2)
            rows, columns = (times * (marks[:, -2:] + 0.5)).long().clamp(min=0).T.numpy()
            inside = (rows < picture.shape[0]) & (columns < picture.shape[1])
            picture[rows[inside], columns[inside]] = INK
            pictures.append(picture)
        pages.append(np.concatenate(pictures, axis=1))
    return pages


def _slice(tracking: Tracking, labels: Labels | None) -> int:
    if tracking.fixed.dimension == 2:
        return 0
    if labels is not None and bool((labels.data > 0).any()):
        return int((labels.data > 0).flatten(1).sum(dim=1).argmax())
    return tracking.fixed.space.shape[0] // 2


def _lattice(tracking: Tracking, which: int) -> Float[Tensor, "n d"]:
    """Voxels every few along rows and columns of the slice."""
    rows, columns = (torch.arange(POINTS_APART // 2, n, POINTS_APART) for n in tracking.fixed.space.shape[-2:])
    return _in_slice(torch.cartesian_prod(rows, columns).double(), which, tracking.fixed.dimension)


def _outline(labels: Labels, which: int) -> Float[Tensor, "n d"]:
    """Points on the border between two labels: the middle of each side that two unlike voxels share."""
    flat = labels.data if labels.dimension == 2 else labels.data[which]
    down = torch.nonzero(flat[1:] != flat[:-1]).double() + torch.tensor([0.5, 0.0])
    right = torch.nonzero(flat[:, 1:] != flat[:, :-1]).double() + torch.tensor([0.0, 0.5])
    return _in_slice(torch.cat([down, right]), which, labels.dimension)


def _in_slice(points: Float[Tensor, "n 2"], which: int, dimension: int) -> Float[Tensor, "n d"]:
    if dimension == 2:
        return points
    return torch.cat([torch.full_like(points[:, :1], which), points], dim=1)
