"""Weights of the voxelmorph package: taken over by their names and shapes, and never run."""

import os

import pytest
import torch

from pullback.errors import ModelError
from pullback.learn import VoxelMorph, from_voxelmorph

RENAMED = (("unet.down.", "unet_model.encoder.", ".0.main"), ("unet.up.", "unet_model.decoder.", ".0.main"),
           ("unet.final.", "unet_model.remaining.", ".main"))  # fmt: skip


def written(model, path, **config):
    """A file as VxmDense.save writes it."""
    state = {}
    for name, tensor in model.state_dict().items():
        for ours, theirs, tail in RENAMED:
            if name.startswith(ours):
                number, kind = name.removeprefix(ours).split(".")
                name = f"{theirs}{number}{tail}.{kind}"
        state[name] = tensor
    state["transformer.grid"] = torch.zeros(1, 2, 8, 8)
    torch.save({"config": {"inshape": [8, 8], "int_steps": 0, "bidir": False} | config, "model_state": state}, path)
    return path


@pytest.mark.parametrize("dimension", [2, 3])
def test_the_network_is_the_same(tmp_path, dimension):
    model = VoxelMorph(channels=2, dimension=dimension, encoder=(4, 5, 6), decoder=(6, 5, 4, 3, 2))
    torch.nn.init.normal_(model.flow.weight)
    again = from_voxelmorph(written(model, tmp_path / "model.pt"))
    assert again.settings == model.settings
    images = torch.rand(2, 1, 2, *[16] * dimension)
    with torch.no_grad():
        assert torch.equal(again(images[0], images[1]).displacement, model(images[0], images[1]).displacement)


class Trap:
    def __reduce__(self):
        return (os.system, ("exit 1",))


def test_what_cannot_be_taken_over_is_refused(tmp_path):
    model = VoxelMorph(encoder=(4,), decoder=(4, 4))
    with pytest.raises(ModelError, match="int_steps=0"):
        from_voxelmorph(written(model, tmp_path / "a.pt", int_steps=7))
    torch.save({"config": {}, "model_state": {"x": Trap()}}, tmp_path / "trap.pt")
    with pytest.raises(ModelError, match="without running code"):
        from_voxelmorph(tmp_path / "trap.pt")
    torch.save({"config": {"int_steps": 0}, "model_state": {"x": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="does not hold the weights of a VxmDense"):
        from_voxelmorph(tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(ModelError, match="without running code"):
        from_voxelmorph(tmp_path / "text.pt")
    with pytest.raises(ModelError, match="there is no file"):
        from_voxelmorph(tmp_path / "nothing.pt")
