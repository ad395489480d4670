"""The front door: everything that takes images in whatever form a user holds them.

Images may be paths, numpy arrays, torch tensors, nibabel images, SimpleITK images, or pullback's own `Image`.
"""

from pullback.api.carry import apply, from_landmarks
from pullback.api.pairs import load, register
from pullback.api.series import register_group, template, track
from pullback.api.settings import find_recipe

__all__ = ["apply", "find_recipe", "from_landmarks", "load", "register", "register_group", "template", "track"]
