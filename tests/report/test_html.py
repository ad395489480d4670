import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import pytest
import torch
from PIL import Image as Picture

from pullback.errors import InputError
from pullback.image import Image
from pullback.optimise import Status
from pullback.report import KeyFigure, html, write
from pullback.space import Space
from pullback.transforms import Affine, Displacement

VOID = {"meta", "img", "input", "br", "link", "hr"}


class Page(HTMLParser):
    """What is on a page; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words += " " + " ".join(data.split())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture
def page(tmp_path):
    def make(registration, **how) -> tuple[Page, str]:
        text = write(registration, tmp_path / "report.html", **how).read_text(encoding="utf-8")
        return Page(text), text

    return make


@pytest.fixture(scope="module")
def good(result, space, tmp_path_factory) -> tuple[Page, str]:
    """The page of a good result."""
    text = write(result(space), tmp_path_factory.mktemp("good") / "report.html").read_text(encoding="utf-8")
    return Page(text), text


def test_a_page_needs_nothing_else(good):
    found, text = good
    for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
        assert all(value.startswith(("data:image/", "#")) for value in found.values(name)), name
    assert not re.findall(r"url\((?!#)", text)
    assert not re.findall(r"@import|fetch\(|XMLHttpRequest|WebSocket|import\(", text)
    policy = [value for value in found.values("content") if "default-src" in value]
    assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"]


def test_a_page_says_what_everybody_must_know(good):
    found, _ = good
    for sentence in (
        "A transform maps fixed points to moving points; images go the other way by pull-back.",
        "A low loss is not accuracy.",
        "Accuracy was not measured here",
        "not a medical device",
        "ed.nii.gz",
        "es.nii.gz",
        "local correlation",
        "started from: header",
        "reference: sample, smooth",
    ):
        assert sentence in found.words, sentence


def test_every_picture_on_a_page_can_be_opened(good):
    found, _ = good
    pictures = [value for value in found.values("src") if value.startswith("data:image/webp;base64,")]
    assert len(pictures) == 6
    for address in pictures:
        with Picture.open(BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
            assert min(picture.size) > 200
            assert picture.convert("L").getextrema()[1] > 100
    assert len([value for tag, name, value in found.attributes if tag == "img" and name == "alt" and value]) == 6


def test_the_script_finds_its_data(good):
    _, text = good
    data = json.loads(re.search(r'<script type="application/json" id="slices">(.*?)</script>', text, re.DOTALL)[1])
    assert data["strips"][0]["titles"]
    wanted = set(re.findall(r'byId\("(\w+)"\)', text)) | {f"side{k}" for k in range(4)}
    assert wanted <= set(re.findall(r'\bid="(\w+)"', text))


def test_names_on_a_page_are_unique_and_ink_is_the_pages(good):
    found, text = good
    names = found.values("id")
    assert len(names) == len(set(names))
    drawing = text[text.index("<svg") : text.index("</svg>")]
    assert "currentColor" in drawing
    assert "DejaVu" not in drawing


def test_nobody_learns_who_the_patient_is(result, page):
    made = result(Space.of_array((40, 40)))
    private = {"PatientName": "Miller^Anna", "warnings": ["bad header in /data/Miller_Anna/ed.nii.gz"]}
    made = replace(made, provenance={**made.provenance, **private})
    found, text = page(made)
    assert "Miller" not in text
    assert "bad header in ed.nii.gz" in found.words
    assert "/data/Miller_Anna/" in page(made, show_folders=True)[1]


def test_a_file_name_is_text_and_not_markup(result, page):
    made = result(Space.of_array((40, 40)))
    found, text = page(replace(made, provenance={"fixed": "<img src=x onerror=alert(1)>.nii", "note": "</script><b>"}))
    assert "<img src=x" not in text
    assert "</script><b>" not in text
    assert "<img src=x onerror=alert(1)>.nii" in found.words


def test_accuracy_is_shown_where_it_was_measured(result, page):
    dice = KeyFigure("Dice of the myocardium", "0.913", "", "overlap of the labels; 1 is perfect", "good")
    found, _ = page(result(Space.of_array((40, 40))), accuracy=[dice])
    assert "Dice of the myocardium" in found.words
    assert "0.913" in found.words
    assert "Accuracy was not measured here" not in found.words


def test_a_linear_result_has_no_map_of_volume_change(result, page):
    found, _ = page(result(Space.of_array((40, 40)), Affine.translation([3.0, 3.0])))
    assert "Deformation grid" in found.words
    assert "Volume change" not in found.words


@pytest.mark.parametrize("status", [Status.no_overlap, Status.nonfinite, Status.folded])
def test_a_failure_has_a_report(result, page, status):
    space = Space.of_array((9, 40, 40), (8.0, 1.0, 1.0))
    made = result(space, Affine.identity(space.dimension))
    quality = replace(made.quality, loss_after=float("nan"), overlap=0.0)
    found, _ = page(replace(made, status=status, quality=quality, outcomes=made.outcomes[:1]))
    assert "did not succeed" in found.words
    assert status.value in found.words
    assert "Stages did not run" in found.words


def test_a_result_without_quality_and_images_apart_have_reports(result, page):
    space = Space.of_array((40, 40))
    made = replace(result(space), quality=None, outcomes=())
    matrix = space.matrix.clone()
    matrix[0, 2] = 5000.0
    found, _ = page(replace(made, moving=Image(made.moving.data, Space(space.shape, matrix)), provenance={}))
    assert "their headers place them apart" in found.words
    assert "moving image pulled back onto fixed image" in found.words


def test_a_colour_photograph_has_a_report(result, page):
    space = Space.of_array((40, 40))
    made = result(space)
    colours = [
        Image(torch.cat([image.data, 0.5 * image.data, 2 * image.data]), space) for image in (made.fixed, made.moving)
    ]
    found, _ = page(replace(made, fixed=colours[0], moving=colours[1]))
    assert "Overlay" in found.words


def test_the_same_result_gives_the_same_page(result, page):
    made = result(Space.of_array((40, 40)))
    assert page(made)[1] == page(made)[1]


def test_the_number_of_threads_is_left_as_it_was(result, page):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        page(result(Space.of_array((40, 40))))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_page_of_a_whole_noisy_brain_is_small(result, page):
    shape = (181, 217, 181)
    noise = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    space = Space.of_array(shape, 1.0)
    field = torch.zeros(3, *shape)
    field[0, :90] = 3.0
    made = result(Space.of_array((20, 20, 20), 1.0))
    made = replace(
        made, fixed=Image(noise, space), moving=Image(noise.flip(1), space), transform=Displacement(field, space)
    )
    assert len(page(made)[1]) < 4_000_000


def test_nothing_half_written_is_left_behind(result, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("the old one")
    monkeypatch.setattr(html, "viewer_data", lambda survey: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(result(Space.of_array((40, 40))), path)
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told(result, tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*does not exist"):
        write(result(Space.of_array((40, 40))), tmp_path / "nowhere" / "report.html")
