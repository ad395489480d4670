"""Docstrings are plain text with `code` between single backticks, as in Markdown; Sphinx wants more.

Stars and bars in formulas (`2 * x`, |x|) would be markup to Sphinx; here they stay what they are.
"""

import re
from typing import Any

CODE = re.compile(r"(`+)(.+?)\1")
MARKUP = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")


def plain(line: str) -> str:
    """One line of a docstring as reStructuredText that shows it as it is written."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    parts, end = [], 0
    for code in CODE.finditer(line):
        parts += [MARKUP.sub(r"\\\1", line[end : code.start()]), f"``{code[2]}``"]
        end = code.end()
    return "".join([*parts, MARKUP.sub(r"\\\1", line[end:])])


def rewrite(app: Any, what: str, name: str, thing: object, options: Any, lines: list[str]) -> None:
    """Sphinx's `autodoc-process-docstring`: changes `lines` in place."""
    lines[:] = [plain(line) for line in lines]


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx; before napoleon (500) takes the sections apart."""
    app.connect("autodoc-process-docstring", rewrite, priority=400)
    return {"parallel_read_safe": True}
