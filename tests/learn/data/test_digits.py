"""MNIST and MedMNIST from files that are made here, with what can be wrong with them."""

import gzip

import numpy as np
import pytest
import torch

from pullback.errors import FileFormatError, InputError
from pullback.learn import cine, dataset, measure, medmnist, mnist, stay
from pullback.learn.data.digits import read_idx


def idx(array: np.ndarray) -> bytes:
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """PULLBACK_DATA with 700 digits, every second one a 5 whose pixel (0, 0) tells its number."""
    digits = tmp_path / "mnist"
    digits.mkdir()
    pictures = np.zeros((1400, 28, 28), np.uint8)
    pictures[:, 0, 0] = np.arange(1400) % 251
    (digits / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures)))
    (digits / "t10k-labels-idx1-ubyte").write_bytes(idx(np.where(np.arange(1400) % 2, 5, 3)))
    monkeypatch.setenv("PULLBACK_DATA", str(tmp_path))
    return tmp_path


def test_digits_are_padded_scaled_and_split(folder):
    data = dataset("mnist:5")
    assert [len(part.images) for part in (data.train, data.validation, data.test)] == [400, 200, 100]
    assert data.train.images.shape[1:] == (1, 32, 32)
    assert float(data.train.images[0, 0, 2, 2]) == pytest.approx(1 / 255)  # number 1 is the first 5
    assert float(data.test.images[-1, 0, 2, 2]) == pytest.approx((1399 % 251) / 255)
    assert set(mnist(None).train.groups) == {"3", "5"}
    assert len(mnist(None).train.images) == 700


def test_what_is_wrong_with_the_files_is_said(folder, monkeypatch):
    with pytest.raises(FileFormatError, match="holds only 0"):
        mnist(7)
    with pytest.raises(InputError, match="0 to 9"):
        mnist(11)
    with pytest.raises(InputError, match="takes a digit"):
        dataset("mnist:five")
    images = folder / "mnist" / "t10k-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    for damaged in (whole[:300], b"nonsense", gzip.compress(b"\0\0\x0d\x03" + bytes(12)), b""):
        images.write_bytes(damaged)
        with pytest.raises(FileFormatError, match="t10k-images"):
            mnist(5)
    images.unlink()
    with pytest.raises(FileFormatError, match="neither train-images"):
        mnist(5)
    monkeypatch.delenv("PULLBACK_DATA")
    with pytest.raises(InputError, match="set PULLBACK_DATA"):
        mnist(5)


def test_a_header_that_claims_too_much_is_refused(tmp_path):
    path = tmp_path / "big"
    path.write_bytes(b"\0\0\x08\x03" + (1 << 30).to_bytes(4, "big") * 3 + bytes(100))
    with pytest.raises(FileFormatError, match="declares"):
        read_idx(path)


def write_npz(folder, **changed):
    (folder / "medmnist").mkdir(exist_ok=True)
    arrays = {}
    for part, count in (("train", 6), ("val", 4), ("test", 4)):
        arrays[f"{part}_images"] = np.random.default_rng(0).integers(0, 255, (count, 28, 28), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(count) % 2)[:, None]
    np.savez_compressed(folder / "medmnist" / "xraymnist.npz", **(arrays | changed))


def test_medmnist_comes_split_with_its_classes(folder):
    write_npz(folder)
    data = medmnist("xraymnist")
    assert data.train.images.shape == (6, 1, 32, 32)
    assert data.validation.groups == ("0", "1", "0", "1")
    assert len(dataset("medmnist:xraymnist:1").test.images) == 2
    write_npz(folder, train_images=np.zeros((6, 28, 28, 3), np.uint8))
    assert medmnist("xraymnist").train.channels == 3


def test_medmnist_is_never_unpickled(folder):
    for changed in ({"train_labels": np.array([{}] * 6, object)}, {"train_images": np.zeros((6, 28, 28))}):
        write_npz(folder, **changed)
        with pytest.raises(FileFormatError, match="xraymnist"):
            medmnist("xraymnist")
    (folder / "medmnist" / "xraymnist.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(FileFormatError, match="damaged"):
        medmnist("xraymnist")
    with pytest.raises(FileFormatError, match="there is no"):
        medmnist("nosuchmnist")
    with pytest.raises(InputError, match="takes a name"):
        dataset("medmnist:../../etc")


def test_phantoms_know_their_answer():
    data = cine(2, (2, 1, 1), shape=(48, 48), spacing_mm=(4.0, 4.0))
    pairs = data.train
    assert len(pairs) == 8
    assert pairs.labels is not None
    assert set(pairs.labels.unique().tolist()) == {0, 1, 2, 3}
    chosen = pairs.some(8)
    before, known = measure(stay, pairs, chosen), measure(lambda batch: batch.truth, pairs, chosen)
    assert known["epe_mm"] == pytest.approx(0, abs=1e-5)
    assert before["epe_mm"] > 2
    assert known["mse"] < 0.4 * before["mse"]
    assert known["dice"] > before["dice"] + 0.1
    assert torch.equal(cine(2, (2, 1, 1), shape=(48, 48), spacing_mm=(4.0, 4.0)).train.images, pairs.images)
