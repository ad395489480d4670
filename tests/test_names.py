"""Public signatures use the words of docs/conventions.md, and none of the words it rules out."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

import pullback

FORBIDDEN = {"source", "target", "static", "template", "reference", "deformed", "moved"}
ALLOWED_IN = {"template": ("pullback.cohort", "pullback.api"), "reference": "pullback.ops"}
TEXTBOOK = {"target_registration_error"}
FORBIDDEN_WHOLE = {"I", "J", "image_A", "image_B", "image_a", "image_b"}


def modules() -> Iterator[ModuleType]:
    yield pullback
    for found in pkgutil.walk_packages(pullback.__path__, "pullback."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield importlib.import_module(found.name)


def public_callables() -> Iterator[tuple[str, object]]:
    """Dotted name and object of every public function, class and method, where it is defined."""
    for module in modules():
        for name, value in vars(module).items():
            if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(value) or inspect.isclass(value):
                yield f"{module.__name__}.{name}", value
            if inspect.isclass(value):
                for member, inside in vars(value).items():
                    inside = getattr(inside, "__func__", inside)  # class and static methods
                    if not member.startswith("_") and (inspect.isfunction(inside) or isinstance(inside, property)):
                        yield f"{module.__name__}.{name}.{member}", inside


def parameters(value: object) -> list[str]:
    if isinstance(value, property):
        return []
    try:
        return list(inspect.signature(value).parameters)  # type: ignore[arg-type]
    except (ValueError, TypeError):  # an exception class or another built-in signature
        return []


def forbidden_words(name: str, value: object) -> list[str]:
    """The words ruled out that occur in the last part of a dotted name or among the parameters."""
    found = []
    for word in (name.rpartition(".")[2], *parameters(value)):
        pieces = {piece.lower() for piece in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", word)}
        bad = {b for b in FORBIDDEN & pieces if not name.startswith(ALLOWED_IN.get(b, "nowhere"))}
        if (bad and word not in TEXTBOOK) or word in FORBIDDEN_WHOLE:
            found.append(word)
    return found


def test_public_signatures_use_the_words_of_the_conventions():
    seen, offenders = 0, []
    for name, value in public_callables():
        seen += 1
        offenders += [f"{name}: {word}" for word in forbidden_words(name, value)]
    assert seen > 100, "the search for public functions found next to nothing"
    if offenders:
        pytest.fail("\n  ".join(["rename (docs/conventions.md):", *offenders]), pytrace=False)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pullback.api.align", lambda source, fixed: None, ["source"]),
        ("pullback.api.align", lambda fixed, moving: None, []),
        ("pullback.api.warp_target", lambda image: None, ["warp_target"]),
        ("pullback.api.StaticImage", lambda image_A: None, ["StaticImage", "image_A"]),
        ("pullback.cohort.template", lambda template: None, []),
        ("pullback.report.page", lambda template_path: None, ["template_path"]),
        ("pullback.ops.sample.reference", lambda reference: None, []),
        ("pullback.evaluate.target_registration_error", lambda points: None, []),
        ("pullback.api.resourceful", lambda removed, statics: None, []),
    ],
)
def test_the_words_are_recognised(name, value, expected):
    assert forbidden_words(name, value) == expected
