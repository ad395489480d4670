"""from_voxelmorph: weights of the `voxelmorph` package's `VxmDense` (its PyTorch backend) as a network of pullback.

Those files are Python pickles, which pullback opens nowhere else. Here torch reads them with `weights_only=True`, which
takes numbers, texts and lists and refuses everything that could run; still, take files only from people whom you trust.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch

from pullback.errors import ModelError
from pullback.learn.networks import VoxelMorph
from pullback.typing import Tensor

NAMES = (
    (r"unet_model\.encoder\.(\d+)\.0\.main\.", r"unet.down.\1."),
    (r"unet_model\.decoder\.(\d+)\.0\.main\.", r"unet.up.\1."),
    (r"unet_model\.remaining\.(\d+)\.main\.", r"unet.final.\1."),
)
GRIDS = r"(transformer|integrate)\..*grid"
"""Sampling grids, which the package keeps among its weights."""


def from_voxelmorph(path: str | Path) -> VoxelMorph:
    """A network with the weights of a file that `VxmDense.save` wrote.

    Args:
        path: the .pt file.

    Returns:
        The network; it takes (fixed, moving), in this order, and gives the same displacement in voxels.

    Raises:
        ModelError: the file cannot be read safely, is not of VxmDense, or of a form that pullback computes otherwise
            (integrated fields, several convolutions on a level).
    """
    path = Path(path)
    try:
        whole = torch.load(path, map_location="cpu", weights_only=True)
        config, state = dict(whole["config"]), dict(whole["model_state"])
    except FileNotFoundError as error:
        raise ModelError(f"there is no file {path}") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError) as error:
        what = " ".join(f"{error}".split())[:200]
        raise ModelError(f"{path} is no VxmDense file that can be read without running code ({what})") from error
    model = _network(path, config, state)
    try:
        model.load_state_dict(state_of(state))
    except RuntimeError as error:
        raise ModelError(f"{path} does not hold the weights of the network in its own description") from error
    return model.eval()


def state_of(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the names of pullback, without sampling grids."""
    renamed = {}
    for name, tensor in state.items():
        if re.match(GRIDS, name):
            continue
        for theirs, ours in NAMES:
            name = re.sub(f"^{theirs}", ours, name)
        renamed[name] = tensor
    return renamed


def _network(path: Path, config: dict[str, Any], state: dict[str, Tensor]) -> VoxelMorph:
    """The network that the description and the shapes of the weights tell of."""
    if config.get("int_steps", 7) != 0 or config.get("nb_unet_conv_per_level", 1) != 1 or config.get("bidir"):
        raise ModelError(f"{path} is of a network with integration, both ways, or several convolutions on a level; "
                         "only plain displacements (int_steps=0) are taken over exactly: train it anew")  # fmt: skip
    counts: dict[str, list[int]] = {}
    for name, tensor in sorted(state_of(state).items(), key=lambda item: _order(item[0])):
        if name.endswith("weight"):
            counts.setdefault(name.rsplit(".", 2)[0], []).append(int(tensor.shape[0]))
    first = state.get("unet_model.encoder.0.0.main.weight")
    if first is None or not {"unet.down", "unet.up"} <= set(counts):
        raise ModelError(f"{path} does not hold the weights of a VxmDense")
    return VoxelMorph(
        channels=int(first.shape[1]) // 2,
        dimension=first.ndim - 2,
        encoder=counts["unet.down"],
        decoder=counts["unet.up"] + counts.get("unet.final", []),
        half_resolution=bool(config.get("unet_half_res")),
    )


def _order(name: str) -> tuple[str, int]:
    """unet.down.10.weight comes after unet.down.9.weight."""
    number = re.search(r"\.(\d+)\.", name)
    return name.split(".", 2)[1] if name.startswith("unet") else name, int(number[1]) if number else -1
