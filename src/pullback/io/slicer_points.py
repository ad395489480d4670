"""3D Slicer's point files: .fcsv (a table with `# CoordinateSystem`) and .mrk.json (markups, since Slicer 4.11)."""

import csv
import io
import json
from typing import Any

import numpy as np

from pullback.errors import FileFormatError, InputError
from pullback.io.geometry import signs
from pullback.io.image_file import one_line

_FCSV_COLUMNS = "id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID"
_SYSTEMS = {"0": "RAS", "RAS": "RAS", "1": "LPS", "LPS": "LPS"}


def parse_fcsv(text: str) -> np.ndarray:
    """(N, 3) RAS mm."""
    _, rows, columns, system = _fcsv(text)
    try:
        values = np.array([[float(row[c]) for c in columns] for row in rows], dtype=np.float64).reshape(-1, 3)
    except (ValueError, IndexError):
        raise FileFormatError("a line of it has no three numbers for x, y and z") from None
    return np.asarray(values * _flip(system))


def write_fcsv(world: np.ndarray, like: str | None) -> str:
    """The text of an .fcsv file, with the names and flags of another one if given; LPS unless that one is RAS."""
    _require_3d(world)
    if like is None:
        head = f"# Markups fiducial file version = 4.11\n# CoordinateSystem = LPS\n# columns = {_FCSV_COLUMNS}\n"
        like = head + "".join(f"{k},0,0,0,0,0,0,1,1,1,0,F-{k},,\n" for k in range(1, len(world) + 1))
    comments, rows, columns, system = _fcsv(like)
    _require_same_count(world, len(rows))
    out = io.StringIO()
    out.writelines(line + "\n" for line in comments)
    writer = csv.writer(out, lineterminator="\n")
    for point, row in zip((world * _flip(system)).tolist(), rows, strict=True):
        for value, column in zip(point, columns, strict=True):
            row[column] = repr(value)
        writer.writerow(row)
    return out.getvalue()


def _fcsv(text: str) -> tuple[list[str], list[list[str]], list[int], str]:
    """(comment lines, rows, positions of x y z, coordinate system)."""
    lines = [line for line in text.splitlines() if line.strip()]
    comments = [line for line in lines if line.startswith("#")]
    said = {k.strip(" #").lower(): v.strip() for k, _, v in (line.partition("=") for line in comments)}
    names = said.get("columns", _FCSV_COLUMNS).split(",")
    if not {"x", "y", "z"} <= set(names):
        raise FileFormatError(f"its columns are {','.join(names)[:60]}; x, y and z are needed")
    rows = list(csv.reader(line for line in lines if not line.startswith("#")))
    return comments, rows, [names.index(a) for a in "xyz"], _system(said.get("coordinatesystem", "RAS"))


def parse_markups(text: str) -> np.ndarray:
    """(N, 3) RAS mm of every control point, list after list."""
    lists = [_positions(markup) * _flip(_system_of(markup)) for markup in _markups(_load(text))]
    return np.concatenate(lists) if lists else np.zeros((0, 3))


def write_markups(world: np.ndarray, like: str | None) -> str:
    """The text of a .mrk.json file, with all but the positions of another one if given; LPS unless that one is RAS."""
    _require_3d(world)
    document = _load(like) if like is not None else _blank(len(world))
    _require_same_count(world, sum(len(markup["controlPoints"]) for markup in _markups(document)))
    first = 0
    for markup in _markups(document):
        points = markup["controlPoints"]
        positions = world[first : first + len(points)] * _flip(_system_of(markup))
        first += len(points)
        for point, position in zip(points, positions.tolist(), strict=True):
            point["position"] = position
    return json.dumps(document, indent=2) + "\n"


def _blank(count: int) -> dict[str, Any]:
    points = [{"id": str(k), "label": f"F-{k}", "position": [0, 0, 0]} for k in range(1, count + 1)]
    schema = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#"
    return {
        "@schema": schema,
        "markups": [{"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": points}],
    }


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FileFormatError(f"it is not JSON ({one_line(error)})") from error


def _markups(document: Any) -> list[dict[str, Any]]:
    markups = document.get("markups") if isinstance(document, dict) else None
    if not isinstance(markups, list) or not all(
        isinstance(m, dict) and isinstance(m.get("controlPoints"), list) for m in markups
    ):
        raise FileFormatError("it is not a Slicer markups file: it has no markups with controlPoints")
    return markups


def _positions(markup: dict[str, Any]) -> np.ndarray:
    try:
        return np.array([[float(v) for v in p["position"]] for p in markup["controlPoints"]]).reshape(-1, 3)
    except (KeyError, TypeError, ValueError):
        raise FileFormatError("a control point has no position of three numbers") from None


def _system_of(markup: dict[str, Any]) -> str:
    return _system(str(markup.get("coordinateSystem", "LPS")))


def _system(name: str) -> str:
    system = _SYSTEMS.get(name.upper())
    if system is None:
        raise FileFormatError(f"its coordinate system is '{name[:20]}'; LPS or RAS is needed")
    return system


def _flip(system: str) -> np.ndarray:
    return signs(3)[:3] if system == "LPS" else np.ones(3)


def _require_3d(world: np.ndarray) -> None:
    if world.shape[1] != 3:
        raise InputError("3D Slicer's point files are 3D and these points are 2D; write .csv instead")


def _require_same_count(world: np.ndarray, count: int) -> None:
    if len(world) != count:
        raise InputError(f"there are {len(world)} points, but the file they came from has {count}")
