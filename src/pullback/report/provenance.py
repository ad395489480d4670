"""Provenance: where a result came from, told without telling who the patient is or whose computer it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

PRIVATE = re.compile(
    r"patient|subject|birth|physician|operator|institution|hospital|station|address|accession|study|user|host|home|mail|uid|"
    r"(^|[._ ])(name|id|sex|age)$",
    re.IGNORECASE,
)
"""Keys whose values may tell who somebody is."""
WINDOWS = re.compile(r"[A-Za-z]:\\|\\\\")
FOLDERS = re.compile(
    r"""(?<![\w.])(?:[A-Za-z]:\\|\\\\|~?/)(?=\S)"""  # a root, after no letter: mm/s is not a path
    r"""(?:(?:(?!\.\w{1,5}[\s,;:)])[^'"\n/\\])+[/\\])*"""  # folders, which may hold spaces, but no end of a file name
    r"""|(?<![^\s'"(])(?:[^\s/\\'"(]+[/\\])+(?=[^\s/\\]*\.[A-Za-z])"""  # or a relative path of a file
)
NAMES = {
    "pullback": "pullback version",
    "torch": "PyTorch version",
    "python": "Python version",
    "time": "finished",
    "seed": "random seed",
    "threads": "CPU threads",
}


def provenance_rows(provenance: Mapping[str, Any], show_folders: bool = False) -> tuple[tuple[str, str], ...]:
    """Names and values for a table, nested ones flattened; warnings are told as remarks instead.

    Example:
        >>> provenance_rows({"fixed": "/data/Miller_Anna/ed.nii.gz", "PatientName": "Miller^Anna", "seed": 0})
        (('fixed', 'ed.nii.gz'), ('random seed', '0'))
    """
    rows = []
    for key, value in _flat(provenance):
        if key.split(" ")[0] == "warnings" or value in (None, ""):
            continue
        if PRIVATE.search(key) and not show_folders:
            continue
        text = str(value)
        rows.append((NAMES.get(key, key), text if show_folders else without_folders(text)))
    return tuple(rows)


def file_name(path: Any) -> str:
    r"""The last part of a path, whatever system it comes from; empty where there is none.

    Example:
        >>> file_name("/data/a/ed.nii.gz"), file_name(r"C:\\scans\\es.mha"), file_name(None)
        ('ed.nii.gz', 'es.mha', '')
    """
    if path is None or path == "":
        return ""
    if isinstance(path, PurePath):
        return path.name
    text = str(path)
    return PureWindowsPath(text).name if WINDOWS.match(text) else PurePosixPath(text).name


def without_folders(text: str) -> str:
    """The text with every path in it cut down to its file name.

    Example:
        >>> without_folders("the header of /data/Miller/ed.nii.gz contradicts itself")
        'the header of ed.nii.gz contradicts itself'
    """
    return FOLDERS.sub("", text)


def _flat(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in tree.items():
        name = f"{above} {key}".strip()
        if isinstance(value, Mapping):
            rows += _flat(value, name)
        elif isinstance(value, list | tuple):
            rows.append((name, ", ".join(str(v) for v in value)))
        else:
            rows.append((name, value))
    return rows
