"""Chains of transforms: what is folded, what is left out, what is read in one pass."""

import pytest
import torch

from pullback.errors import InputError
from pullback.transforms import Affine, Composite, Displacement, Velocity, split
from pullback.transforms.composite import chain


@pytest.fixture
def field(oblique_space, smooth_field):
    space = oblique_space(2)
    return Displacement(smooth_field(space), space)


def test_neighbouring_matrices_become_one():
    a, b = Affine.rigid(30, [1, 2]), Affine.about(torch.tensor([[1.0, 0.2], [0.0, 1.1]]))
    whole = a @ b @ a
    assert isinstance(whole, Affine)
    torch.testing.assert_close(whole.matrix, a.matrix @ b.matrix @ a.matrix)


def test_parts_stay_flat_and_in_order(field):
    a, velocity = Affine.rigid(30), Velocity(field.field, field.space)
    whole = (a @ field) @ (velocity @ a)
    assert isinstance(whole, Composite)
    assert [type(part) for part in whole.parts] == [Affine, Displacement, Velocity, Affine]
    assert [type(part) for part in chain(Composite((Composite((field, a)), a)), a).parts] == [Displacement, Affine]


def test_identities_are_left_out(field):
    nothing = Affine.identity(2)
    assert nothing @ field is field
    assert field @ nothing is field
    assert chain(nothing, nothing).dimension == 2
    turn = Affine.translation([1.0, 2.0])
    assert chain(turn.inverse(), turn, field) is field


def test_an_identity_with_gradients_is_kept(field):
    matrix = torch.eye(3, dtype=torch.float64, requires_grad=True)
    whole = Affine(matrix) @ field
    assert isinstance(whole, Composite)
    whole(torch.ones(3, 2, dtype=torch.float64)).sum().backward()
    assert float(matrix.grad.abs().sum()) > 0


def test_the_inverse_goes_backwards(field):
    a = Affine.rigid(30, [1, 2])
    back = (a @ field).inverse()
    assert [type(part).__name__ for part in back.parts] == ["Inverse", "Affine"]
    torch.testing.assert_close(back.parts[1].matrix @ a.matrix, torch.eye(3, dtype=torch.float64))


def test_split_takes_the_matrices_on_the_moving_side(field, oblique_space):
    a, space = Affine.rigid(30, [1, 2]), oblique_space(2)
    assert split(a, space) == (a, None)
    affine, rest = split(a @ a @ field, space)
    torch.testing.assert_close(affine.matrix, (a @ a).matrix)
    assert rest is field.field  # on its own grid nothing is computed
    affine, rest = split(field, space)
    assert torch.equal(affine.matrix, torch.eye(3, dtype=torch.float64))
    affine, rest = split(field @ a, space)
    assert torch.equal(affine.matrix, torch.eye(3, dtype=torch.float64))
    assert rest is not None
    affine, rest = split(Composite((a, a)), space)
    assert rest is None
    torch.testing.assert_close(affine.matrix, (a @ a).matrix)


def test_what_cannot_be_chained_is_refused(field):
    with pytest.raises(InputError, match="at least one part"):
        Composite(())
    with pytest.raises(InputError, match="at least one part"):
        chain()
    with pytest.raises(InputError, match=r"dimensions \[3, 2\]"):
        chain(Affine.identity(3), field)
