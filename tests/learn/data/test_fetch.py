"""Downloads, from a server of our own: whole and right, or not at all."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pullback.errors import InputError
from pullback.learn import dataset, fetch
from pullback.learn.data import digits
from pullback.learn.data.fetch import data_folder, files_of, offered, sources

PICTURES = bytes(range(256)) * 5000
LABELS = b"labels"


class Handler(BaseHTTPRequestHandler):
    """/good/NAME is right, /bad/NAME another file, /short/NAME ends too soon; all else is missing."""

    def do_GET(self) -> None:
        _, kind, name = self.path.split("/")
        content = {"images.gz": PICTURES, "labels.gz": LABELS}[name]
        if kind == "gone":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write({"good": content, "bad": content[::-1], "short": content[:5]}[kind])

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def table(server: str, *kinds: str) -> dict[str, object]:
    sums = {"mnist/images.gz": f"md5:{hashlib.md5(PICTURES).hexdigest()}",
            "mnist/labels.gz": f"sha256:{hashlib.sha256(LABELS).hexdigest()}"}  # fmt: skip
    return {"mnist": {"from": [f"{server}/{kind}/" for kind in kinds], "files": sums}}


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_files_arrive_whole_and_are_not_fetched_twice(server, tmp_path):
    seen: list[tuple[str, int, int]] = []
    found = fetch("mnist", tmp_path, table=table(server, "good"), watch=lambda *step: seen.append(step))
    assert [path.read_bytes() for path in found] == [PICTURES, LABELS]
    assert seen[-1] == ("labels.gz", len(LABELS), len(LABELS))
    assert [step[1] for step in seen if step[0] == "images.gz"][-1] == len(PICTURES)
    assert fetch("mnist:5", tmp_path, table=table(server, "gone")) == found  # no server is asked


def test_the_next_server_is_asked_when_one_fails(server, tmp_path):
    found = fetch("mnist", tmp_path, table=table(server, "gone", "bad", "short", "good"))
    assert found[0].read_bytes() == PICTURES


@pytest.mark.parametrize(
    ("kind", "said"), [("gone", "404"), ("bad", "checksum"), ("short", r"5 of 1280000|IncompleteRead")]
)
def test_what_is_not_right_leaves_nothing_behind(server, tmp_path, kind, said):
    with pytest.raises(InputError, match=rf"cannot download images.gz \(.*({said}).*put the file into"):
        fetch("mnist", tmp_path, table=table(server, kind))
    assert files_in(tmp_path) == []


def test_no_server_at_all_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="refused"):
        fetch("mnist", tmp_path, table=table("http://127.0.0.1:9", "good"))


def test_ctrl_c_leaves_nothing_half_written(server, tmp_path):
    def stop(*step: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch("mnist", tmp_path, table=table(server, "good"), watch=stop)
    assert files_in(tmp_path) == []


def test_another_file_of_that_name_is_not_touched(server, tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "images.gz").write_bytes(b"mine")
    with pytest.raises(InputError, match="move it away"):
        fetch("mnist", tmp_path, table=table(server, "good"))
    assert (tmp_path / "mnist" / "images.gz").read_bytes() == b"mine"


def test_every_published_file_has_addresses_and_a_checksum():
    for name in offered():
        for path, (addresses, checksum) in files_of(name).items():
            kind, _, number = checksum.partition(":")
            assert len(number) == hashlib.new(kind).digest_size * 2
            assert all(a.startswith("https://") and a.endswith(Path(path).name) for a in addresses)
    assert set(sources()) == {"mnist", "medmnist"}
    for wrong in ("medmnist", "medmnist:", "cifar", "medmnist:../x"):
        with pytest.raises(InputError, match="cannot be downloaded; choose one of mnist, medmnist:bloodmnist"):
            files_of(wrong)


def test_the_folder_is_the_users_choice(tmp_path, monkeypatch):
    monkeypatch.setenv("PULLBACK_DATA", str(tmp_path / "data"))
    with pytest.raises(InputError, match="no such folder"):
        data_folder()
    assert data_folder(make=True) == tmp_path / "data"
    monkeypatch.delenv("PULLBACK_DATA")
    monkeypatch.setenv("PULLBACK_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="pullback data fetch"):
        data_folder()
    assert data_folder(make=True) == tmp_path / "cache" / "data"


def test_a_data_set_is_fetched_only_when_asked_for_and_missing(tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setenv("PULLBACK_DATA", str(tmp_path))
    monkeypatch.setattr(digits, "fetch", lambda name, *where: asked.append(name))
    for name, wanted in (("mnist:5", "mnist"), ("medmnist:pneumoniamnist:1", "medmnist:pneumoniamnist")):
        for download in (False, True):
            with pytest.raises(InputError, match="pullback data fetch"):  # nothing came
                dataset(name, download=download)
        assert asked == [wanted]
        asked.clear()
