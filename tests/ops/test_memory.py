"""Memory is used again when nobody holds it, never while somebody does, and not kept for ever."""

import gc

import torch

from pullback import ops
from pullback.ops import _memory
from pullback.ops._memory import SMALLEST, empty


def test_a_dropped_result_makes_room_for_the_next():
    with ops.reused():
        first = empty(2, SMALLEST)
        place = first.data_ptr()
        del first
        second = empty(SMALLEST, 2)
        assert second.data_ptr() == place
        assert second.shape == (SMALLEST, 2)


def test_a_result_that_is_held_is_left_alone():
    with ops.reused():
        held = empty(SMALLEST).fill_(7.0)
        part = empty(2, SMALLEST).fill_(3.0)[0]  # a view holds the whole
        gc.collect()
        others = [empty(SMALLEST).fill_(float(k)) for k in range(3)] + [empty(2, SMALLEST).fill_(9.0)]
        assert len({t.data_ptr() for t in (held, part, *others)}) == 6
    assert bool((held == 7).all())
    assert bool((part == 3).all())


def test_nothing_is_kept_when_it_is_over():
    with ops.reused():
        store = _memory._store.get()
        assert store is not None
        held, dropped = empty(SMALLEST), empty(SMALLEST)
        del dropped
        assert store.free[SMALLEST]
    assert not store.free
    del held
    gc.collect()
    assert not store.free


def test_rows_begin_where_vectors_do():
    with ops.reused():
        assert all(empty(SMALLEST + k).data_ptr() % 64 == 0 for k in range(5))


def test_small_tensors_and_those_outside_are_ordinary():
    assert empty(4, 5).shape == (4, 5)
    assert empty(SMALLEST).dtype == torch.float32


def test_a_registration_in_another_one_keeps_its_own():
    with ops.reused():
        outer = empty(SMALLEST).fill_(1.0)
        with ops.reused():
            inner = empty(SMALLEST).fill_(2.0)
        again = empty(SMALLEST).fill_(3.0)
    assert [float(t[0]) for t in (outer, inner, again)] == [1.0, 2.0, 3.0]
