import dataclasses

import pytest
import torch

from pullback.errors import InputError
from pullback.image import Image, Labels
from pullback.phantom import Cine, Pair, Phantom, make, names, options

SMALL = {
    "sax": {},
    "heart": {"shape": (48, 48), "spacing": (5, 5)},
    "heart-t2": {"shape": (48, 48), "spacing": (5, 5)},
    "heart-3d": {"shape": (6, 24, 24), "spacing": (16, 10, 10)},
    "heart-3d-t2": {"shape": (6, 24, 24), "spacing": (16, 10, 10)},
    "beating": {"shape": (48, 48), "spacing": (5, 5), "frames": 3},
    "pair": {"shape": (48, 48), "spacing": (5, 5)},
    "lungs": {"slide_mm": 10.0},
}


def test_every_name_has_a_line():
    assert list(names()) == list(SMALL)
    assert all(20 < len(line) < 90 for line in names().values())


@pytest.mark.parametrize("name", SMALL)
def test_every_name_makes_its_kind_twice_alike(name):
    made, again = make(name, **SMALL[name]), make(name, **SMALL[name])
    kind = {"beating": Cine, "pair": Pair, "lungs": Pair}.get(name, Phantom)
    assert isinstance(made, kind)
    pieces, others = tensors(made), tensors(again)
    assert len(pieces) == {"beating": 6, "pair": 4, "lungs": 4}.get(name, 2)
    for piece, other in zip(pieces, others, strict=True):
        assert torch.equal(piece, other)
        assert bool(torch.isfinite(piece).all())


def tensors(made):
    values = [value for field in dataclasses.fields(made) for value in flat(getattr(made, field.name))]
    return [value.data for value in values if isinstance(value, Image | Labels)]


def flat(value):
    return value if isinstance(value, tuple) else (value,)


def test_options_reach_the_phantom():
    assert make("heart-3d", shape=(2, 16, 16), noise=0.0).image.data.shape == (1, 2, 16, 16)
    assert not torch.equal(
        make("heart", **SMALL["heart"]).image.data, make("heart", phase=0.36, **SMALL["heart"]).image.data
    )
    assert make("beating", dimension=3, frames=2, shape=(4, 16, 16), spacing=(20, 14, 14)).frames[1].dimension == 3
    assert "contrast" not in options("heart-t2")
    assert {"contrast", "seed", "noise", "bias", "shape", "spacing"} <= set(options("heart"))
    assert "dimension" not in options("heart-3d")


def test_unknown_names_and_options_are_named():
    with pytest.raises(InputError, match="choose one of sax, heart"):
        make("brain")
    with pytest.raises(InputError, match="no option colour; it takes"):
        make("heart", colour="red")
    with pytest.raises(InputError, match="it takes none"):
        make("sax", seed=1)
    with pytest.raises(InputError, match="either a space"):
        make("heart", space=make("sax").image.space, shape=(3, 3))
