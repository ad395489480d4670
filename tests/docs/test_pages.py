"""The README and the pages of docs/ are run as a reader would: block after block, in an empty folder with four files.

In a `python` block every line runs; names carry over from block to block. In a `console` block every line that starts
with `$ pullback` runs, and what is printed beneath it must be printed (`...` stands for anything). Other commands and
other blocks are only read.
"""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pullback as pb

ROOT = Path(__file__).parents[2]
FOLDERS = "docs", "docs/concepts", "docs/how_to", "docs/methods"
PAGES = [ROOT / "README.md", *(page for folder in FOLDERS for page in sorted((ROOT / folder).glob("*.md")))]
FENCE = re.compile(r"^```(\w+)?[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#]+)(?:#[^)]*)?\)")
SECONDS = 300


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int

    def commands(self) -> Iterator[tuple[str, str]]:
        """(command, what the page says it prints), for each `$ pullback`."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, printed = re.sub(r"\s*\\\n\s*", " ", part).partition("\n")
            if command.startswith("pullback"):
                yield command, printed.strip()


def blocks(text: str) -> list[Block]:
    return [Block(m[1] or "", m[2], text.count("\n", 0, m.start(2)) + 1) for m in FENCE.finditer(text)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    """The files that pages speak of: two images, a segmentation of the moving one, landmarks on the fixed one."""
    folder = tmp_path_factory.mktemp("inputs")
    pair = pb.phantom.make("pair")
    pb.write_image(pair.fixed, folder / "fixed.nii.gz")
    pb.write_image(pair.moving, folder / "moving.nii.gz")
    pb.write_image(pair.moving_labels, folder / "seg.nii.gz")
    (folder / "points.csv").write_text("name,x,y\nanterior,-130,-100\ninferior,-130,-170\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page(page, inputs, tmp_path, monkeypatch):
    for file in inputs.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "python":
            code = "\n" * (block.line - 1) + block.text  # so that a traceback tells the line of the page
            exec(compile(code, str(page), "exec"), names)
        elif block.language == "console":
            for command, printed in block.commands():
                check_command(command, printed, f"{page.name}:{block.line}")


def check_command(command: str, printed: str, where: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=SECONDS,
                            env=os.environ | {"PATH": path}, stdin=subprocess.DEVNULL)  # fmt: skip
    said = f"{where}: $ {command}\n{answer.stdout}{answer.stderr}"
    assert answer.returncode == 0, said
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if printed:
        found = doctest.OutputChecker().check_output(printed + "\n", answer.stdout, flags)
        assert found, f"{said}\nexpected:\n{printed}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing, f"{page.name} links to what is not there: {missing}"


def test_every_design_note_is_listed():
    folder = ROOT / "docs" / "design_notes"
    listed = LINK.findall((folder / "README.md").read_text(encoding="utf-8"))
    assert {note.name for note in folder.glob("*.md")} - {"README.md"} <= set(listed)


def test_blocks_and_commands_are_found():
    page = "# T\n\n```console\n$ make\n$ pullback a \\\n    b\nsaid\n```\n\n```python\nx = 1\n```\n```\nplain\n```\n"
    console, python, plain = blocks(page)
    assert list(console.commands()) == [("pullback a b", "said")]
    assert (python.language, python.text, python.line) == ("python", "x = 1\n", 11)
    assert plain.language == ""


def test_a_wrong_output_is_noticed():
    with pytest.raises(AssertionError, match="expected"):
        check_command("echo pullback 1", "pullback 2", "page:1")
    check_command("echo pullback 1", "pull... 1", "page:1")
