"""The front door: everything that takes images in whatever form a user holds them.

Images may be paths, numpy arrays, torch tensors, nibabel images, SimpleITK images, or pullback's own `Image`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pullback.api.carry import apply, from_landmarks
    from pullback.api.pairs import AUTO, load, register, suggest
    from pullback.api.series import register_group, template, track
    from pullback.api.settings import find_recipe

_HOMES = {
    "pullback.api.carry": ("apply", "from_landmarks"),
    "pullback.api.pairs": ("AUTO", "load", "register", "suggest"),
    "pullback.api.series": ("register_group", "template", "track"),
    "pullback.api.settings": ("find_recipe",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AUTO",
    "apply",
    "find_recipe",
    "from_landmarks",
    "load",
    "register",
    "register_group",
    "suggest",
    "template",
    "track",
]


def __getattr__(name: str) -> Any:
    """Names are imported when they are first used: who registers two images need not wait for cines and templates."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
