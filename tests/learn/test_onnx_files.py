"""A network as an ONNX file says what the network says, for sizes that it was not exported with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pullback.errors import InputError
from pullback.learn import Card, Network, VoxelMorph, export_onnx, onnx_difference, onnx_files, warp
from pullback.learn.networks.fields import unmoved

onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("onnxscript", reason="the extra `onnx` is not installed")


def network(**settings: object) -> VoxelMorph:
    """One that moves things by a voxel or two."""
    torch.manual_seed(0)
    model = VoxelMorph(encoder=(4,), decoder=(4, 4), **settings)  # type: ignore[arg-type]
    torch.nn.init.normal_(model.flow.weight, std=1.5)
    return model.eval()


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_file_says_what_the_network_says(dimension: int, tmp_path: Path) -> None:
    flows = {"integrate": 1, "half_resolution": True, "bidirectional": True} if dimension == 2 else {}
    model = network(dimension=dimension, channels=3 - dimension % 2 * 2, **flows)
    card = Card(Network.of(model), (1.5,) * dimension, (8,) * dimension, "blobs")
    session = runtime.InferenceSession(str(export_onnx(model, tmp_path / "a.onnx", card)))
    for shape in ((13, 22, 9)[:dimension], (16, 8, 10)[:dimension]):
        fixed, moving = torch.rand(2, 3, model.channels, *shape)
        with torch.no_grad():
            said = model(fixed, moving)
        outputs = session.run(None, {"fixed": fixed.numpy(), "moving": moving.numpy()})
        wanted = [said.displacement, warp(moving, said.displacement)]
        wanted += [said.inverse] if said.inverse is not None else []
        assert said.displacement.abs().max() > 0.3
        assert len(outputs) == len(wanted)
        for theirs, ours in zip(outputs, wanted, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), atol=2e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert Card.from_dict(json.loads(metadata["pullback"])) == card
    names = ("slices", "rows", "columns")[-dimension:]
    assert session.get_inputs()[0].shape == ["batch", model.channels, *names]
    assert onnx_difference(tmp_path / "a.onnx", model) < 1e-4
    assert type(unmoved(dimension)) is torch.Tensor  # no symbol of the export is kept


def test_what_cannot_be_written_is_said_before_the_work_is_done(tmp_path: Path) -> None:
    model = network()
    with pytest.raises(InputError, match=r"ends in \.onnx"):
        export_onnx(model, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="does not exist"):
        export_onnx(model, tmp_path / "nowhere" / "a.onnx")


def test_without_the_extra_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"onnxscript is not installed: pip install 'pullback\[onnx\]'"):
        export_onnx(network(), tmp_path / "a.onnx")
    with pytest.raises(InputError, match="onnxruntime"):
        onnx_difference(tmp_path / "a.onnx", network())
