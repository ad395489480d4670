"""The site's own parts: docstrings as Sphinx reads them, the API pages, the tutorial's form and its runner."""

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pullback as pb

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((ROOT / "tutorial").glob("[0-9]*.py"))


def loaded(name: str) -> ModuleType:
    """A script of docs/, which is no package."""
    found = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("the `matrix` of |x|", r"the ``matrix`` of \|x\|"),
        ("2 * x and values_", r"2 \* x and values\_"),
        ("lin_alg stays", "lin_alg stays"),
        ("already ``code``", "already ``code``"),
        (">>> 2 * `x`", ">>> 2 * `x`"),
    ],
)
def test_docstrings_are_plain_text(line, read):
    assert loaded("plain_docstrings").plain(line) == read


def documented() -> set[str]:
    """Every public name of a module that has an API page, and the functions that are named one by one."""
    text = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    modules = re.findall(r"automodule:: (\S+)", text)
    functions = {name.split(".")[-1] for name in re.findall(r"autofunction:: (\S+)", text)}
    return {name for module in modules for name in names_of(importlib.import_module(module))} | set(modules) | functions


def names_of(module: ModuleType) -> list[str]:
    return list(getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")]))


def test_every_public_name_has_its_place_in_the_api():
    pages = documented()
    assert not [name for name in pb.__all__ if name not in pages and f"pullback.{name}" not in pages]


def test_sphinx_sees_what_a_module_names():
    """It lists what a module holds before anybody asks: lazy names would leave an empty page."""
    for module in re.findall(r"automodule:: (\S+)", "".join(p.read_text("utf-8") for p in (DOCS / "api").glob("*.md"))):
        lost = set(names_of(importlib.import_module(module))) - set(vars(importlib.import_module(module)))
        assert not lost, f"{module}: {lost}"


def test_every_page_of_the_api_is_listed():
    listed = (DOCS / "api/README.md").read_text(encoding="utf-8").split()
    assert {page.stem for page in (DOCS / "api").glob("*.md")} - {"README"} <= set(listed)


def headings(text: str) -> list[str]:
    """Second-level headings of the comment blocks."""
    return re.findall(r"^# (.+)\n# -{3,}$", text, re.MULTILINE)


def test_the_tutorial_is_there():
    assert len(PAGES) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_asks_before_it_answers(page):
    text = page.read_text(encoding="utf-8")
    found = headings(text)
    exercise = next((k for k, heading in enumerate(found) if heading.startswith("Exercise")), None)
    assert exercise is not None, found
    assert any(heading.startswith("Solution") for heading in found[exercise + 1 :]), found
    assert found[-1].startswith("What do you expect if"), found
    assert "dropdown:: Hint" in text
    assert len(re.findall(r"^assert ", text, re.MULTILINE)) >= 3, "a page checks what it finds"


def test_pages_run_from_the_runner(tmp_path, monkeypatch, capsys):
    runner = loaded("run_tutorial")
    (tmp_path / "01_good.py").write_text("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\n")
    (tmp_path / "02_bad.py").write_text("import warnings\nwarnings.warn('a warning is an error')\n")
    monkeypatch.setattr(runner, "PAGES", tmp_path)
    monkeypatch.setattr(sys, "argv", ["run_tutorial", "--out", str(tmp_path / "out")])
    assert runner.main() == 1
    said = capsys.readouterr().out
    assert re.search(r"01_good +ok", said)
    assert re.search(r"02_bad +FAILED", said)
    assert "a warning is an error" in said
    assert (tmp_path / "out/01_good/figure_01.png").stat().st_size > 1000


def test_an_unknown_page_is_named():
    answer = subprocess.run([sys.executable, DOCS / "run_tutorial.py", "nonsense"], capture_output=True, text=True)
    assert answer.returncode == 2
    assert "nonsense" in answer.stderr
