"""by_recipe: a classical registration in the form in which networks are judged, for a fair comparison."""

from __future__ import annotations

import torch

from pullback.image import Image
from pullback.learn import PairBatch, Pairs
from pullback.learn.data.cines import to_voxels
from pullback.learn.measure import Way
from pullback.registration.recipe import Recipe
from pullback.registration.register import register


def by_recipe(recipe: Recipe, pairs: Pairs, device: str = "cpu") -> Way:
    """The way of a recipe on these pairs; see `pullback.learn.measure`.

    A registration that fails counts as what it left: its transform, as for a user who does not look.
    """
    space = pairs.space

    def way(batch: PairBatch) -> torch.Tensor:
        fields = []
        for fixed, moving in zip(batch.fixed, batch.moving, strict=True):
            result = register(Image(fixed, space), Image(moving, space), recipe, device=device)
            fields.append(to_voxels(result.transform.displace(space).cpu(), space))
        return torch.stack(fields)

    return way
