"""Transforms on other devices; a "meta" tensor has a device and a shape and no numbers."""

import torch

from pullback.space import Space
from pullback.transforms import Affine, Composite, Displacement, Velocity
from pullback.transforms.on_device import on_device

SPACE = Space.of_array((4, 5))


def test_fields_go_along_wherever_they_are_held():
    turned = Affine.rigid(10.0)
    moved = on_device(
        turned @ Displacement(torch.zeros(2, 4, 5), SPACE) @ Velocity(torch.zeros(2, 4, 5), SPACE), "meta"
    )
    assert isinstance(moved, Composite)
    assert [type(part) for part in moved.parts] == [Affine, Displacement, Velocity]
    assert moved.parts[0] is turned
    assert [part.field.device.type for part in moved.parts[1:]] == ["meta", "meta"]
    undone = on_device(Displacement(torch.zeros(2, 4, 5), SPACE).inverse(), "meta")
    assert undone.inverse().field.device.type == "meta"


def test_what_is_there_already_stays_the_same_object():
    for transform in (Affine.identity(2), Displacement(torch.zeros(2, 4, 5), SPACE)):
        assert on_device(transform, "cpu") is transform
    both = Affine.rigid(10.0) @ Displacement(torch.zeros(2, 4, 5), SPACE)
    assert on_device(both, "cpu") is both
