"""The table of kernels: what is chosen, what can be forced, what is recorded, what is explained."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from pullback import ops
from pullback.errors import KernelError
from pullback.ops import _dispatch

IMAGE = torch.arange(20.0).view(1, 1, 4, 5)


@pytest.fixture
def fake(monkeypatch):
    """A row "fake" above the reference of `smooth`, which answers 7 everywhere; its answers can be changed."""
    module = SimpleNamespace(
        available=lambda: None,
        supports=lambda *tensors, **options: all(t.dtype == torch.float32 for t in tensors),
        smooth=lambda image, sigmas: torch.full_like(image, 7.0),
    )
    load = _dispatch._load
    monkeypatch.setitem(_dispatch.ROWS, "smooth", ("fake", "reference"))
    monkeypatch.setattr(_dispatch, "_load", lambda op, row: module if row == "fake" else load(op, row))
    _dispatch._missing.cache_clear()
    yield module
    _dispatch._missing.cache_clear()


def smoothed_by_fake(image=IMAGE):
    return bool((ops.smooth(image, (1.0, 1.0)) == 7).all())


def test_every_op_ends_with_its_reference():
    assert {rows[-1] for rows in _dispatch.ROWS.values()} == {"reference"}
    for op, rows in _dispatch.ROWS.items():
        assert len(set(rows)) == len(rows)
        assert callable(getattr(_dispatch._load(op, "reference"), op))


def test_every_op_is_public_and_in_the_table():
    assert set(_dispatch.ROWS) <= set(ops.__all__)


def test_the_fastest_row_that_supports_the_tensors_runs(fake):
    assert smoothed_by_fake()
    assert not smoothed_by_fake(IMAGE.double())


def test_a_row_that_is_missing_is_passed_over(fake):
    fake.available = lambda: "no compiler was found"
    assert not smoothed_by_fake()


def test_tensors_that_are_not_given_are_not_asked_about(fake, monkeypatch):
    asked = []
    fake.supports = lambda *tensors, **options: asked.append(len(tensors)) or False
    monkeypatch.setitem(_dispatch.ROWS, "lncc", ("fake", "reference"))
    ops.lncc(IMAGE, IMAGE, (1, 1))
    ops.lncc(IMAGE, IMAGE, (1, 1), torch.ones_like(IMAGE))
    assert asked == [2, 3]


def test_the_reference_can_be_forced_and_the_choice_given_back(fake):
    with ops.use_kernels("reference"):
        assert not smoothed_by_fake()
        with ops.use_kernels(None):
            assert smoothed_by_fake()
        with ops.use_kernels("fake"):
            assert smoothed_by_fake()
        assert not smoothed_by_fake()
    assert smoothed_by_fake()


def test_forcing_ends_with_an_exception(fake):
    with pytest.raises(ZeroDivisionError), ops.use_kernels("reference"):
        raise ZeroDivisionError
    assert smoothed_by_fake()


def test_a_forced_row_leaves_what_it_cannot_do_to_the_reference(fake):
    with ops.use_kernels("fake"):
        assert not smoothed_by_fake(IMAGE.double())
        expected = ops.lncc(IMAGE, IMAGE, (1, 1))
    with ops.use_kernels("reference"):
        assert torch.equal(ops.lncc(IMAGE, IMAGE, (1, 1)), expected)


def test_a_forced_row_that_this_machine_lacks_is_an_error_with_the_reason(fake):
    fake.available = lambda: "no compiler was found"
    with ops.use_kernels("fake"), pytest.raises(KernelError, match=r"'fake'.*'smooth'.*no compiler was found"):
        smoothed_by_fake()


def test_a_forced_row_that_does_not_exist_is_an_error_that_names_the_others(fake):
    with ops.use_kernels("abacus"), pytest.raises(KernelError, match=r"'abacus'.*'fake', 'reference'"):
        smoothed_by_fake()


def test_what_ran_is_recorded(fake):
    with ops.recorded() as outer:
        ops.smooth(IMAGE, (1.0, 1.0))
        with ops.recorded() as inner:
            ops.jacobian(torch.zeros(1, 2, 4, 5), torch.eye(2))
    ops.lncc(IMAGE, IMAGE, (1, 1))
    assert outer == {"smooth": "fake"}
    assert set(inner) == {"jacobian"}


def test_every_row_is_explained(fake):
    rows = {(row.op, row.row): row for row in ops.explain()}
    assert {op for op, _ in rows} == set(_dispatch.ROWS)
    assert rows["smooth", "fake"].live
    assert rows["smooth", "reference"] == ops.Row("smooth", "reference", live=True, reason="live")


def test_the_reason_of_a_missing_row_is_explained(fake):
    fake.available = lambda: "no compiler was found"
    (row,) = (row for row in ops.explain() if row.row == "fake")
    assert (row.live, row.reason) == (False, "no compiler was found")


def test_the_environment_forces_a_row():
    code = """
import torch
from pullback import ops
try:
    ops.smooth(torch.zeros(1, 1, 4, 5), (1.0, 1.0))
except Exception as error:
    print(type(error).__name__, error)
with ops.use_kernels("reference"), ops.recorded() as log:
    ops.smooth(torch.zeros(1, 1, 4, 5), (1.0, 1.0))
print(log)
"""
    environment = {**os.environ, "PULLBACK_KERNELS": "abacus"}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    first, second = answer.stdout.splitlines()
    assert first.startswith("KernelError there are no 'abacus' kernels")
    assert second == "{'smooth': 'reference'}"
