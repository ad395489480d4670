"""pullback: align any two medical images, the heart first, and know whether to trust the result.

    import pullback as pb
    result = pb.register("fixed.nii.gz", "moving.nii.gz")
    result.warped, result.transform, result.ok

The names below are loaded when they are first used, so that the command line can answer `--help` without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pullback import cardiac, energy, evaluate, learn, optimise, phantom, report
    from pullback.api import apply, from_landmarks, load, register, register_group, suggest, template, track
    from pullback.errors import FileFormatError, InputError, PullbackError, PullbackWarning, RecipeError, SpaceError
    from pullback.image import Image, Labels, Points
    from pullback.io import (
        read_image,
        read_labels,
        read_points,
        read_transform,
        write_displacement,
        write_image,
        write_points,
        write_transform,
    )
    from pullback.registration import Recipe, Registration, recipes
    from pullback.space import Space
    from pullback.transforms import Affine, Composite, Displacement, Transform, Velocity

__version__ = "0.1.0"

_HOMES = {
    "pullback": ("cardiac", "energy", "evaluate", "learn", "optimise", "phantom", "report"),
    "pullback.api": ("apply", "from_landmarks", "load", "register", "register_group", "suggest", "template", "track"),
    "pullback.errors": (
        "FileFormatError",
        "InputError",
        "PullbackError",
        "PullbackWarning",
        "RecipeError",
        "SpaceError",
    ),
    "pullback.image": ("Image", "Labels", "Points"),
    "pullback.io": (
        "read_image",
        "read_labels",
        "read_points",
        "read_transform",
        "write_displacement",
        "write_image",
        "write_points",
        "write_transform",
    ),
    "pullback.registration": ("Recipe", "Registration", "recipes"),
    "pullback.space": ("Space",),
    "pullback.transforms": ("Affine", "Composite", "Displacement", "Transform", "Velocity"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Affine",
    "Composite",
    "Displacement",
    "FileFormatError",
    "Image",
    "InputError",
    "Labels",
    "Points",
    "PullbackError",
    "PullbackWarning",
    "Recipe",
    "RecipeError",
    "Registration",
    "Space",
    "SpaceError",
    "Transform",
    "Velocity",
    "apply",
    "cardiac",
    "energy",
    "evaluate",
    "from_landmarks",
    "learn",
    "load",
    "optimise",
    "phantom",
    "read_image",
    "read_labels",
    "read_points",
    "read_transform",
    "recipes",
    "register",
    "register_group",
    "report",
    "suggest",
    "template",
    "track",
    "write_displacement",
    "write_image",
    "write_points",
    "write_transform",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"pullback has no {name!r}; it has {', '.join(__all__)}")
    home = _HOME[name]
    is_module = home == "pullback"
    value = importlib.import_module(f"pullback.{name}" if is_module else home)
    value = value if is_module else getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
