"""The shape of the source: files and functions that fit in a head, and no names that mean nothing."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "pullback"
FILE_LINES = 450
FUNCTION_LINES = 60
EMPTY_FILE_NAMES = {"utils", "util", "helpers", "misc", "common", "manager", "base"}
EMPTY_CLASS_WORDS = ("Base", "Manager", "Handler", "Helper", "Utils", "Util")


@dataclass(frozen=True)
class Source:
    name: str
    text: str

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(ast.parse(self.text, filename=self.name))


def sources() -> list[Source]:
    paths = sorted(SRC.rglob("*.py"))
    return [Source(path.relative_to(SRC.parent).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def long_functions(source: Source) -> Iterator[str]:
    for node in source.nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"{source.name}:{node.lineno} {node.name}: {lines} lines"


def fail_with(title: str, offenders: list[str]) -> None:
    if offenders:
        pytest.fail("\n  ".join([title, *offenders]), pytrace=False)


def test_the_source_is_found():
    names = {source.name for source in sources()}
    assert {"pullback/space.py", "pullback/transforms/affine.py", "pullback/ops/sample/reference.py"} <= names


def test_no_file_is_too_long():
    counts = {source.name: len(source.text.splitlines()) for source in sources()}
    long = [f"{name}: {lines} lines" for name, lines in counts.items() if lines > FILE_LINES]
    fail_with(f"split the files of more than {FILE_LINES} lines; is each one idea?", long)


def test_no_function_is_too_long():
    long = [line for source in sources() for line in long_functions(source)]
    fail_with(f"split the functions of more than {FUNCTION_LINES} lines:", long)


def test_a_long_function_is_noticed():
    fits = "def fits():\n" + "    x = 1\n" * (FUNCTION_LINES - 1)
    long = "def long():\n" + "    x = 1\n" * FUNCTION_LINES
    assert list(long_functions(Source("a.py", fits + long))) == ["a.py:61 long: 61 lines"]


def test_no_file_or_class_has_a_name_that_means_nothing():
    empty = [source.name for source in sources() if Path(source.name).stem.lstrip("_") in EMPTY_FILE_NAMES]
    for source in sources():
        classes = [node for node in source.nodes() if isinstance(node, ast.ClassDef)]
        empty += [f"{source.name}:{c.lineno} {c.name}" for c in classes if c.name.strip("_").endswith(EMPTY_CLASS_WORDS)
                  or c.name.strip("_").startswith("Base")]  # fmt: skip
    fail_with("name these after what they are:", empty)


def test_networks_live_only_in_learn():
    modules = [
        f"{source.name}:{node.lineno}"
        for source in sources()
        if not source.name.startswith("pullback/learn/")
        for node in source.nodes()
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).split(".")[-1] == "Module" for base in node.bases)
    ]
    fail_with("torch.nn.Module is only for pullback.learn:", modules)
