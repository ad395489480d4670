"""Network: the description of a network, as a value that a recipe and a card of weights can hold."""

from __future__ import annotations

import inspect
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pullback.errors import ModelError
from pullback.learn.networks.affine_network import AffineNetwork
from pullback.learn.networks.pair_network import PairNetwork
from pullback.learn.networks.pyramid import Pyramid
from pullback.learn.networks.voxelmorph import VoxelMorph

Form = Literal["VoxelMorph", "Pyramid", "AffineNetwork"]
FORMS: dict[str, type[PairNetwork]] = {
    "VoxelMorph": VoxelMorph,
    "Pyramid": Pyramid,
    "AffineNetwork": AffineNetwork,
}
"""The networks that a card may name."""
LATER = ("correlation", "affine")
"""Settings that older cards do not hold."""


@dataclass(frozen=True)
class Network:
    """What network to build; see `VoxelMorph`, `Pyramid` and `AffineNetwork`.

    Attributes:
        form: which network.
        dimension: 2 or 3.
        channels: of each image.
        encoder: features of each level on the way down, each of which halves the resolution.
        decoder: features on the way up, then of the convolutions at the end; in the others than VoxelMorph, of the
            convolutions that compare the images at each level.
        integrate: squarings of the velocity that it predicts; 0 predicts the displacement itself.
        half_resolution: whether the field has half the resolution of the images.
        bidirectional: whether it gives both ways.
        flow_scale: voxels for each unit of the last layer; 1 is the published network, 10 learns sooner.
        correlation: how many voxels around the features of the images are correlated; not in VoxelMorph.
        affine: whether an affine map is found before anything bends; for Pyramid.
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
    correlation: int = 0
    affine: bool = False

    @classmethod
    def of(cls, model: PairNetwork) -> Network:
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
        tree = {name: known[name] for name in LATER} | tree if isinstance(tree, dict) else tree
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

    def build(self) -> PairNetwork:
        """The network, with first weights.

        Raises:
            ModelError: sizes that make no network, or settings that the form does not know.
        """
        settings, usual = asdict(self), asdict(Network())
        form = FORMS[settings.pop("form")]
        known = inspect.signature(form).parameters
        for name in set(settings) - set(known):
            if settings.pop(name) != usual[name]:
                raise ModelError(f"{form.__name__} has no setting {name}; leave it at {usual[name]!r}")
        return form(**settings)
