import base64
import importlib.util
import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "_static" / "play"


def data_of(text: str) -> dict:
    return json.loads(text[text.index("{") : text.rindex(";")])


def leaves(value: object, name: str = "") -> dict[str, object]:
    """Everything in nested dictionaries, by its path."""
    if not isinstance(value, dict):
        return {name: value}
    return {path: leaf for key, inner in value.items() for path, leaf in leaves(inner, f"{name}/{key}").items()}


def test_the_pictures_are_those_that_the_script_makes():
    spec = importlib.util.spec_from_file_location("make_play_pictures", ROOT / "docs/images/make_play_pictures.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    kept = leaves(data_of((FOLDER / "pictures.js").read_text(encoding="utf-8")))
    made = leaves(data_of(script.text()))
    assert kept.keys() == made.keys()
    for name, value in made.items():
        if isinstance(value, str):
            one, other = (np.frombuffer(base64.b64decode(v), np.uint8).astype(int) for v in (kept[name], value))
            assert np.abs(one - other).max() <= 1, f"{name}: run docs/images/make_play_pictures.py"  # other processors
        else:
            assert kept[name] == value, f"{name}: run docs/images/make_play_pictures.py"


def test_every_script_of_the_page_is_there_and_none_comes_from_elsewhere():
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    used = [part.split('"')[0] for part in page.split('<script src="')[1:]]
    assert {f"{name}" for name in used} == {path.name for path in FOLDER.glob("*.js")}
    for path in FOLDER.iterdir():
        assert "http" not in path.read_text(encoding="utf-8"), path.name


def test_the_page_is_embedded_in_the_documentation():
    page = (ROOT / "docs" / "play.md").read_text(encoding="utf-8")
    assert page.count('="_static/play/index.html"') == 2  # embedded, and in a window of its own
