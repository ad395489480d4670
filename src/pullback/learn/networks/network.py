"""Network: the description of a network, as a value that a recipe and a card of weights can hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pullback.errors import ModelError
from pullback.learn.networks.voxelmorph import VoxelMorph

Form = Literal["VoxelMorph"]
FORMS: dict[str, type[VoxelMorph]] = {"VoxelMorph": VoxelMorph}
"""The networks that a card may name."""


@dataclass(frozen=True)
class Network:
    """What network to build; see `VoxelMorph`.

    Attributes:
        form: which network.
        dimension: 2 or 3.
        channels: of each image.
        encoder: features of each level on the way down, each of which halves the resolution.
        decoder: features on the way up, then of the convolutions at the end.
        integrate: squarings of the velocity that it predicts; 0 predicts the displacement itself.
        half_resolution: whether the field has half the resolution of the images.
        bidirectional: whether it gives both ways.
        flow_scale: voxels for each unit of the last layer; 1 is the published network, 10 learns sooner.
    """

    form: Form = "VoxelMorph"
    dimension: int = 2
    channels: int = 1
    encoder: tuple[int, ...] = (32, 32, 32)
    decoder: tuple[int, ...] = (32, 32, 32, 32, 16)
    integrate: int = 0
    half_resolution: bool = False
    bidirectional: bool = False
    flow_scale: float = 1.0

    @classmethod
    def of(cls, model: VoxelMorph) -> Network:
        """The description of a network that there is.

        Raises:
            ModelError: it is no network of pullback.
        """
        for form, kind in FORMS.items():
            if type(model) is kind:
                return cls(form, **model.settings)  # type: ignore[arg-type]
        raise ModelError(f"{type(model).__name__} is not a network that pullback knows; use one of {', '.join(FORMS)}")

    @classmethod
    def from_dict(cls, tree: Any) -> Network:
        """From plain values, as `to_dict` gives them.

        Raises:
            ModelError: they describe no network.
        """
        known = asdict(cls())
        if not isinstance(tree, dict) or set(tree) != set(known) or tree["form"] not in FORMS:
            raise ModelError(f"a network is described by {', '.join(known)}, with form one of {', '.join(FORMS)}")
        values: dict[str, Any] = {}
        for name, usual in known.items():
            value = tuple(tree[name]) if isinstance(usual, tuple) and isinstance(tree[name], list) else tree[name]
            if type(value) is not type(usual):
                raise ModelError(f"{name} of a network must be of the kind of {usual!r}; got {value!r}")
            values[name] = value
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a card."""
        return asdict(self) | {"encoder": list(self.encoder), "decoder": list(self.decoder)}

    def build(self) -> VoxelMorph:
        """The network, with first weights.

        Raises:
            ModelError: sizes that make no network.
        """
        settings = asdict(self)
        return FORMS[settings.pop("form")](**settings)
