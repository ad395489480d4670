"""A scene: one patient, drawn at any points. Everything drawn is a formula in the tissue's own coordinates.

That is what makes known answers exact: an image under a motion is the scene at the places where its voxels came from,
so nothing is ever interpolated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from pullback.image import Image, Labels
from pullback.phantom.anatomy import Anatomy, Layer
from pullback.phantom.contrast import Contrast, Look, look
from pullback.phantom.seeds import stream
from pullback.phantom.surroundings import body_layers
from pullback.phantom.texture import Texture
from pullback.space import Space
from pullback.transforms import Affine, Transform
from pullback.typing import Float, PointsTensor, Tensor

INK_MM = 0.9
OFFSET_MM = (-16.0, 2.0, -8.0)
"""From the middle of the left ventricle to the middle of the field of view, along u, v and w."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A heart in its chest, placed in the world.

    Attributes:
        anatomy: the shape of the heart.
        pose: world mm -> the heart's frame (u, v) in 2D, (u, v, w) in 3D; a 2D scene is the slice w = 0.
        seed: of the textures.

    Example:
        >>> space = Space.of_array((48, 48), 5.0)
        >>> Scene.at(space, seed=0).labels(space).values
        (1, 2, 3)
    """

    anatomy: Anatomy
    pose: Affine
    seed: int

    @classmethod
    def at(cls, space: Space, seed: int) -> Scene:
        """A patient whose heart is in the middle of a field of view; in bare arrays v runs down the rows."""
        d = space.dimension
        axes = torch.diag(torch.tensor([-1.0, -1.0, 1.0][:d], dtype=torch.float64))
        offset = torch.tensor(OFFSET_MM[:d], dtype=torch.float64)
        pose = Affine.about(axes) @ Affine.translation(-space.centre)
        placed = Affine.translation(offset) @ pose
        assert isinstance(placed, Affine)  # affine after affine is one matrix
        return cls(Anatomy.random(seed), placed, seed)

    def image(
        self, space: Space, contrast: Contrast | Look, transform: Transform | None = None, slice_samples: int = 1
    ) -> Image:
        """The scene drawn on a grid, as it is or seen through a transform.

        Args:
            space: the grid.
            contrast: cine, t2, or the brightness of each tissue.
            transform: from the grid's world to the scene's.
            slice_samples: points over the thickness of a slice (the first axis, 3D only) whose mean a voxel shows.

        Returns:
            The image with image(x) = scene(transform(x)), exactly for one sample.
        """
        blur = 0.6 * sorted(space.spacing)[1 if space.dimension == 3 else 0]
        total = torch.zeros(space.count)
        grid = space.grid().reshape(-1, space.dimension)
        count = slice_samples if space.dimension == 3 else 1
        for k in range(count):
            points = grid + ((k + 0.5) / count - 0.5) * space.linear[:, 0]
            total += self.paint(points if transform is None else transform(points), contrast, blur)
        return Image((total / count).reshape(1, *space.shape), space)

    def labels(self, space: Space, transform: Transform | None = None) -> Labels:
        """The labels of the tissue at every voxel's centre: 1 RV cavity, 2 LV wall, 3 LV cavity."""
        points = space.grid().reshape(-1, space.dimension)
        points = points if transform is None else transform(points)
        return Labels(self.anatomy.labels(self._frame(points)).reshape(space.shape), space)

    def paint(self, points: PointsTensor, contrast: Contrast | Look, blur_mm: float) -> Float[Tensor, " n"]:
        """Intensities at world points (N, D), borders softened by a Gaussian of the given standard deviation."""
        at = self._frame(points)
        chosen = contrast if isinstance(contrast, Look) else look(contrast)
        fine = Texture.random(stream(self.seed, "fine"), (5.0, 13.0))(at)
        coarse = Texture.random(stream(self.seed, "coarse"), (14.0, 40.0))(at)
        value = torch.full_like(fine, chosen.tissues["air"].level)
        for name, border in self._layers(at):
            tissue = chosen.tissues[name]
            if name == "fat" and chosen.ink > 0:
                value *= 1 - chosen.ink * torch.exp(-((border / INK_MM) ** 2))
            colour = tissue.level * (1 + tissue.fine * fine + tissue.coarse * coarse)
            cover = torch.special.ndtr(-border / blur_mm)
            value = torch.lerp(value, colour.clamp(min=0), cover)
        return value

    def _layers(self, at: PointsTensor) -> Iterator[Layer]:
        yield from body_layers(at, Texture.random(stream(self.seed, "vessels"), (11.0, 26.0)))
        yield from self.anatomy.layers(at)

    def _frame(self, points: PointsTensor) -> PointsTensor:
        """World points to the heart's frame, (N, 3) float32."""
        at = self.pose(points).to(torch.float32)
        return torch.nn.functional.pad(at, (0, 3 - at.shape[1]))
