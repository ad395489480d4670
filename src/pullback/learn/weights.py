"""Weights: a trained network in a file, with a card that says what it is and what it is for.

`model.safetensors` holds the numbers and the card; `model.json` beside it holds the card for people, and the SHA-256 of
the other, which is compared when the weights are read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from pullback import __version__
from pullback.errors import ModelError
from pullback.io.atomic import atomic
from pullback.learn.networks import Network, PairNetwork
from pullback.learn.tensors import finite, read_tensors, shapes, write_tensors

MOST_CARD_BYTES = 1_000_000
SHIPPED = {"heart-2d": "heart_2d.safetensors", "cine-2d": "cine_2d.safetensors"}
"""Networks that come with pullback, see docs/methods/learned.md: name -> file in `shipped`."""


@dataclass(frozen=True)
class Card:
    """What a file of weights is.

    Attributes:
        network: which network the weights are of.
        spacing_mm: voxel size that the network learned on, along each axis; images are laid on such a grid first.
        shape: of the grid that it learned on; other shapes are taken as well.
        data: what it learned from.
        licence: of that data, as far as it is known.
        metrics: on the test part of the data: identity and model.
        recipe: the training recipe, as plain values.
        pullback: the version that trained it.
    """

    network: Network
    spacing_mm: tuple[float, ...]
    shape: tuple[int, ...]
    data: str = "unknown"
    licence: str = "unknown"
    metrics: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    pullback: str = __version__

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"network": self.network.to_dict()}

    @classmethod
    def from_dict(cls, tree: Any) -> Card:
        """From plain values.

        Raises:
            ModelError: they are no card.
        """
        names = {f.name for f in fields(cls)}
        if not isinstance(tree, dict) or not names <= set(tree):
            missing = sorted(names - set(tree)) if isinstance(tree, dict) else sorted(names)
            raise ModelError(f"the card of the weights lacks {', '.join(missing)}")
        network = Network.from_dict(tree["network"])
        numbers = [tree["spacing_mm"], tree["shape"]]
        for each, kind in zip(numbers, (float | int, int), strict=True):
            if not isinstance(each, list) or len(each) != network.dimension:
                raise ModelError(f"the card's grid needs {network.dimension} numbers; got {each}")
            if not all(isinstance(n, kind) and not isinstance(n, bool) and 0 < n < 1e6 for n in each):
                raise ModelError(f"the card's grid needs positive numbers; got {each}")
        values = {name: tree[name] for name in names} | {
            "network": network,
            "spacing_mm": tuple(float(s) for s in tree["spacing_mm"]),
            "shape": tuple(tree["shape"]),
        }
        return cls(**values)


def save_weights(model: PairNetwork, card: Card, path: str | Path) -> Path:
    """Write the weights and their card.

    Args:
        model: the network.
        card: what it is.
        path: ends in .safetensors; the card goes beside it as .json.

    Raises:
        InputError: the files cannot be written.
        ModelError: another suffix, or weights that are not finite.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ModelError(f"weights are written as .safetensors; got {path.name!r}")
    state = model.state_dict()
    if not finite(state):
        raise ModelError("these weights hold NaN or infinity: the training failed; they are not written")
    write_tensors(path, state, {"card": card.to_dict()})
    with atomic(path.with_suffix(".json")) as temporary:
        text = json.dumps({**card.to_dict(), "sha256": digest(path)}, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def load_weights(path: str | Path) -> tuple[PairNetwork, Card]:
    """A network with its weights, ready to predict, and its card.

    Args:
        path: what `save_weights` wrote, the folder of a training, or the name of a network that comes with pullback.

    Raises:
        ModelError: the file is missing, damaged, cut short, no safetensors, or not what its card says.

    Example:
        >>> model, card = load_weights("cine-2d")
        >>> card.network.dimension, card.spacing_mm
        (2, (1.8, 1.8))
    """
    path = weights_file(path)
    tensors, text = read_tensors(path)
    card = Card.from_dict(text.get("card"))
    beside = _beside(path)
    if beside is not None and beside != digest(path):
        raise ModelError(f"{path} is not the file that {path.with_suffix('.json').name} describes: its SHA-256 "
                         "differs; copy both again")  # fmt: skip
    with torch.device("meta"):  # nothing is allocated for sizes that only a card claims
        wanted = {name: tuple(t.shape) for name, t in card.network.build().state_dict().items()}
    if shapes(path) != wanted or any(t.dtype != torch.float32 for t in tensors.values()):
        raise ModelError(f"{path} does not hold the weights of the network on its card; was it put together by hand?")
    if not finite(tensors):
        raise ModelError(f"{path} holds weights that are NaN or infinite; train again")
    model = card.network.build()
    model.load_state_dict(tensors)
    return model.eval(), card


def weights_file(path: str | Path) -> Path:
    """The file that a path, the folder of a training or the name of a shipped network stands for."""
    if str(path) in SHIPPED:
        return Path(__file__).parent / "shipped" / SHIPPED[str(path)]
    path = Path(path)
    return path / "model.safetensors" if path.is_dir() else path


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(path: Path) -> str | None:
    """The SHA-256 on the card beside the weights, if there is one."""
    card = path.with_suffix(".json")
    if not card.is_file():
        return None
    try:
        if card.stat().st_size > MOST_CARD_BYTES:
            raise ModelError(f"{card} has more than {MOST_CARD_BYTES} bytes; this is no card")
        tree = json.loads(card.read_text(encoding="utf-8"))
        return str(tree["sha256"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{card} is damaged: it is no JSON with a sha256; copy it again or take it away") from error
