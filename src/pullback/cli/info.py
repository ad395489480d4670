"""pullback info: what is in an image, a transform, points or a result folder."""

from __future__ import annotations

import json
import warnings
from argparse import Namespace
from typing import Any

from pullback.cli.options import Parser, file
from pullback.errors import PullbackWarning

EXAMPLES = """
pullback info scan.nii.gz
pullback info dicom_folder/ --json
pullback info transform.h5
pullback info result/
"""


def parser() -> Parser:
    """The options of this command."""
    p = Parser("pullback info", "Tell what pullback understands of a file: where it lies, how large it is, what is in\n"
               "it. Axes are listed in data order, slices first.", EXAMPLES)  # fmt: skip
    p.add_argument(
        "thing", metavar="THING", type=file, help="an image, a DICOM folder, a transform, points, or a result"
    )
    p.add_argument("--json", action="store_true", help="as JSON")
    return p


def run(options: Namespace) -> int:
    """Print the facts."""
    from pullback import io
    from pullback.cli.result_facts import result_facts
    from pullback.registration import saved

    is_result = (options.thing / "result.json").is_file()
    if options.json:
        print(json.dumps(saved.read_summary(options.thing) if is_result else io.describe(options.thing), indent=2))
        return 0
    facts = result_facts(options.thing) if is_result else io.describe(options.thing)
    for line in facts.pop("warnings", []):
        warnings.warn(line, PullbackWarning, stacklevel=1)
    for name, value in facts.items():
        print("\n".join(_lines(name.replace("_", " "), value)))
    return 0


def _lines(name: str, value: Any) -> list[str]:
    """One fact as text; a matrix takes a line for each row, a group an indented line for each fact in it."""
    if isinstance(value, dict):
        return [
            f"{name}:",
            *(f"  {line}" for key, item in value.items() for line in _lines(key.replace("_", " "), item)),
        ]
    if isinstance(value, list) and value and isinstance(value[0], list):
        rows = ["  ".join(f"{round(v, 4) + 0.0:10.4f}" for v in row) for row in value]
        return [f"{name:<24}{rows[0]}", *(" " * 24 + row for row in rows[1:])]
    return [f"{name:<24}{_short(value)}"]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
