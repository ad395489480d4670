"""Recipes as YAML: every value, its meaning beside it, and nothing that a file could use to run code.

A recipe is a tree of frozen dataclasses. Where a field may hold several kinds (which similarity, which optimiser), the
file says `kind:`, chosen from the closed list KINDS; unknown keys and kinds are errors. Meanings come from the
"Attributes:" section of each class's docstring.
"""

from __future__ import annotations

import inspect
import math
import re
import types
import typing
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from pullback import energy, optimise
from pullback.errors import RecipeError
from pullback.registration.finishing import Settle, SoftSpline, SplineFinish, Unfold
from pullback.registration.initialisation import AlignCentres, BlockMatching, ConvexSearch, Nudge, Search
from pullback.registration.predict import Predict
from pullback.registration.recipe import Recipe
from pullback.registration.stage import Optimise, Stage
from pullback.registration.symmetric import Symmetric

KINDS: dict[type, tuple[type, ...]] = {
    optimise.Optimiser: (
        optimise.GradientDescent,
        optimise.ConjugateGradient,
        optimise.Adam,
        optimise.LBFGS,
        optimise.LevenbergMarquardt,
        optimise.StochasticDescent,
    ),
    optimise.Parametrisation: (
        optimise.Linear,
        optimise.Greedy,
        optimise.SVF,
        optimise.TimeVaryingVelocity,
        optimise.Sliding,
        optimise.BSpline,
        optimise.Smoothed,
    ),
    Stage: (
        AlignCentres,
        Search,
        Nudge,
        ConvexSearch,
        BlockMatching,
        Optimise,
        Settle,
        SoftSpline,
        SplineFinish,
        Symmetric,
        Unfold,
        Predict,
    ),
    energy.Similarity: (
        energy.MSE,
        energy.NCC,
        energy.LNCC,
        energy.MIND,
        energy.MutualInformation,
        energy.MattesMutualInformation,
        energy.NormalisedMutualInformation,
        energy.RegionalMutualInformation,
        energy.CorrelationRatio,
        energy.NormalisedGradient,
        energy.RobustDifference,
        energy.SoftDice,
        energy.LandmarkDistance,
        energy.SurfaceDistance,
        energy.WeightedSum,
    ),
    energy.Regulariser: (
        energy.Diffusion,
        energy.Bending,
        energy.Curvature,
        energy.Elastic,
        energy.TotalVariation,
        energy.Folding,
        energy.Incompressible,
        energy.LocalRigidity,
        energy.Sobolev,
        energy.RegulariserSum,
    ),
}

T = TypeVar("T")
MOST_BYTES = 1_000_000
LARGEST = 1 << 1000
"""The largest whole number that is taken for a floating-point one."""


USE = "# A pullback recipe. Use it with: pullback register FIXED MOVING --out DIR --recipe THIS_FILE.yaml"


def to_yaml(recipe: Any, use: str = USE) -> str:
    """The recipe (or another such value) as YAML, with the meaning of every value in a comment."""
    return "\n".join([use, *_emit_fields(recipe, 0)]) + "\n"


def to_dict(value: Any) -> Any:
    """The recipe, or any part of it, as plain dictionaries, lists, strings and numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        kind = {"kind": type(value).__name__} if _is_a_kind(type(value)) else {}
        return kind | {f.name: to_dict(getattr(value, f.name)) for f in _written(type(value))}
    return [to_dict(v) for v in value] if isinstance(value, tuple) else value


def read(path: str | Path) -> Recipe:
    """A recipe from a YAML file.

    Raises:
        RecipeError: the file cannot be read, or a key or value in it is not one that a recipe has.
    """
    return read_as(Recipe, path)


def read_as(wanted: type[T], path: str | Path) -> T:
    """A value of any dataclass that a recipe could be, from a YAML file.

    Raises:
        RecipeError: as for `read`.
    """
    try:
        return build(wanted, parse(_text(Path(path))))
    except RecipeError as error:
        raise RecipeError(f"the recipe {path}: {error}") from error


def _text(path: Path) -> str:
    if not path.is_file():  # nor a pipe or a device, which might never end
        raise RecipeError("it is a folder" if path.is_dir() else "there is no such file")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RecipeError(f"it has more than {MOST_BYTES} bytes; this is not a recipe")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError("it is not a text file (UTF-8)") from error
    except OSError as error:
        raise RecipeError(f"it cannot be read: {error.strerror or error}") from error


def parse(text: str) -> Any:
    """YAML to dictionaries and lists, without what can hide a mistake (a key twice) or fill the memory (aliases)."""
    import yaml  # noqa: PLC0415 - only those who read a file pay for the parser

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise RecipeError("it uses an alias (*name); write the value out")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen:
                    raise RecipeError(f"line {key.start_mark.line + 1}: {key.value} stands twice in one place")
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except RecipeError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise RecipeError(f"it is not valid YAML: {' '.join(str(error).split())[:300]}") from error


def from_dict(tree: Any) -> Recipe:
    """A recipe from plain dictionaries, as `to_dict` makes them.

    Raises:
        RecipeError: names the key, the value, and what is allowed.
    """
    return build(Recipe, tree)


def build(wanted: type[T], tree: Any) -> T:
    """The same for any dataclass that a recipe could be."""
    value = _build(wanted, tree, "recipe")
    assert isinstance(value, wanted)
    return value


def _build(wanted: Any, node: Any, where: str) -> Any:
    """`node` as a value of the type `wanted`."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (Union, types.UnionType):
        options = [a for a in arguments if a is not type(None)]
        return None if node is None else _build(options[0], node, where)
    if origin is Literal:
        return _one_of(node, arguments, where)
    if origin is tuple:
        if not isinstance(node, list):
            raise RecipeError(f"{where} must be a list; got {_show(node)}")
        return tuple(_build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(node))
    if wanted in KINDS or is_dataclass(wanted):
        return _build_dataclass(wanted, node, where)
    return _build_scalar(wanted, node, where)


def _build_dataclass(wanted: type, node: Any, where: str) -> Any:
    if not isinstance(node, dict):
        raise RecipeError(f"{where} must hold keys and values; got {_show(node)}")
    node = dict(node)
    if wanted in KINDS:
        names = {kind.__name__: kind for kind in KINDS[wanted]}
        wanted = names[_one_of(node.pop("kind", None), tuple(names), f"{where}.kind")]
    hints = typing.get_type_hints(wanted)
    known = {f.name: f for f in _written(wanted)}
    for key in node:
        if key not in known:
            raise RecipeError(f"{where}.{key} is not known; {wanted.__name__} has {', '.join(known)}")
    missing = [n for n, f in known.items() if n not in node and f.default is MISSING and f.default_factory is MISSING]
    if missing:
        raise RecipeError(f"{where} lacks {', '.join(missing)}; {wanted.__name__} needs it")
    return wanted(**{key: _build(hints[key], value, f"{where}.{key}") for key, value in node.items()})


def _build_scalar(wanted: type, node: Any, where: str) -> Any:
    if wanted is float:
        node = _as_float(node)
    if not isinstance(node, wanted) or (isinstance(node, bool) and wanted is not bool):
        raise RecipeError(f"{where} must be {_TYPE_NAMES.get(wanted, wanted.__name__)}; got {_show(node)}")
    if isinstance(node, float) and not math.isfinite(node):
        raise RecipeError(f"{where} must be a finite number; got {_show(node)}")
    return node


def _one_of(node: Any, allowed: tuple[Any, ...], where: str) -> Any:
    if node not in allowed:
        raise RecipeError(f"{where} must be one of {', '.join(str(a) for a in allowed)}; got {_show(node)}")
    return node


def _as_float(node: Any) -> Any:
    """Whole numbers count as numbers, and so does 1e-5, which YAML 1.1 takes for text."""
    if isinstance(node, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+", node):
        return float(node)
    if isinstance(node, int) and not isinstance(node, bool):
        return float(node) if -LARGEST < node < LARGEST else float("inf")
    return node


def _show(node: Any) -> str:
    text = repr(node)
    return text if len(text) < 80 else text[:76] + " ..."


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _written(cls: type) -> list[Field[Any]]:
    """The fields that a file holds: all but a network that is held in memory."""
    return [f for f in fields(cls) if not f.metadata.get("in_memory")]


def _is_a_kind(cls: type) -> bool:
    """Whether a file must say which kind it is; also of a class that someone wrote for himself."""
    return any(issubclass(cls, kind) for kind in KINDS)


def _emit_fields(value: Any, indent: int) -> list[str]:
    """The lines of a dataclass's fields at an indentation."""
    pad = " " * indent
    meanings = _meanings(inspect.getdoc(type(value)) or "")
    lines = [f"{pad}kind: {type(value).__name__}"] if _is_a_kind(type(value)) else []
    for f in _written(type(value)):
        item, meaning = getattr(value, f.name), meanings.get(f.name)
        note = f"  # {meaning}" if meaning else ""
        if is_dataclass(item):
            lines += [f"{pad}{f.name}:{note}", *_emit_fields(item, indent + 2)]
        elif isinstance(item, tuple) and item and is_dataclass(item[0]):
            lines.append(f"{pad}{f.name}:{note}")
            for part in item:
                first, *rest = _emit_fields(part, indent + 4)
                lines += [f"{pad}  - {first.lstrip()}", *rest]
        else:
            lines.append(f"{pad}{f.name}: {_scalar(item)}{note}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_scalar(v) for v in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return value if _is_plain(value) else '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, float):
        return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))  # YAML 1.1 reads 1e-05 as text; 1.0e-05 is a number
    return str(value)


def _is_plain(text: str) -> bool:
    """Whether YAML reads this text without quotes as itself, and not as a number, a truth value or nothing."""
    words = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", text) is not None and text.lower() not in words


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


@cache
def _meanings(docstring: str) -> dict[str, str]:
    """{attribute: meaning}, from the "Attributes:" section of a class docstring."""
    found: dict[str, str] = {}
    section = re.split(r"\n\s*Attributes:\n", docstring, maxsplit=1)
    name = None
    for line in section[1].splitlines() if len(section) == 2 else []:
        if entry := re.match(r"    (\w+): (.*)", line):
            name = entry[1]
            found[name] = entry[2]
        elif name and re.match(r"     +\S", line):
            found[name] += " " + line.strip()
        else:
            break
    return found
