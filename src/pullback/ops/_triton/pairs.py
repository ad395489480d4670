"""Pairs of values, of the fixed image and of what is read from the moving one: counted, and what a matrix changes.

Nothing the size of an image is written, and nothing is added up across programs.
"""

import triton
import triton.language as tl

from pullback.ops._triton.histogram import spline, unit
from pullback.ops._triton.reading import add_three, along, between, coordinates, moves, places, value_at, within

BLOCK = 64
PULLED = 256
WARPS = 4
COUNTING = 2
"""Warps that count: with four of them it takes four times as long."""
SUMS = 32

SIZES = ["bins", "n0", "n1", "n2", "m1", "m2", "count"]


@triton.jit(do_not_specialize=[*SIZES, "loops"])
def count_read(fixed, moving, field, weight, out, loops, bins, n0, n1, n2, m1, m2, count,
               a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, b00, b01, b02, b10, b11, b12, b20, b21, b22,
               D: tl.constexpr, MOVED: tl.constexpr, WEIGHTED: tl.constexpr, WIDTH: tl.constexpr,
               BLOCK: tl.constexpr):  # fmt: skip
    """This program's voxels, (WIDTH, WIDTH), rows fixed; see `histogram.count_pairs`."""
    column = tl.arange(0, WIDTH)
    joint = tl.zeros([WIDTH, WIDTH], tl.float32)
    first = tl.program_id(0) * loops * BLOCK
    for k in range(0, tl.minimum(loops, (count - first + BLOCK - 1) // BLOCK)):
        v = first + k * BLOCK + tl.arange(0, BLOCK)
        live = v < count
        x0, x1, x2 = coordinates(v, m1, m2)
        u0, u1, u2 = moves(field, v, live, count, D, MOVED)
        p0, p1, p2 = places(x0, x1, x2, u0, u1, u2, a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23,
                            b00, b01, b02, b10, b11, b12, b20, b21, b22, D, MOVED)  # fmt: skip
        i0, j0, t0, _ = between(p0, n0)
        i1, j1, t1, _ = between(p1, n1)
        i2, j2, t2, _ = between(p2, n2)
        seen = live & within(p0, p1, p2, n0, n1, n2)
        value = value_at(moving, (i0 * n1 + i1) * n2, (i0 * n1 + j1) * n2, (j0 * n1 + i1) * n2, (j0 * n1 + j1) * n2,
                         i2, j2, t0, t1, t2, seen, D)  # fmt: skip
        counts = seen.to(tl.float32)
        if WEIGHTED:
            counts = tl.load(weight + v, mask=seen, other=0.0)
        row = tl.floor(unit(tl.load(fixed + v, mask=live, other=0.0)) * (bins - 1) + 0.5).to(tl.int32)
        place = unit(value) * (bins - 3) + 1
        among = tl.where(column[:, None] == row[None, :], counts[None, :], 0.0)
        spread = spline(place[:, None] - column[None, :].to(tl.float32))
        joint += tl.dot(among, spread, input_precision="ieee")
    tl.store(out + tl.program_id(0) * WIDTH * WIDTH + column[:, None] * WIDTH + column[None, :], joint)


@triton.jit(do_not_specialize=SIZES)
def slopes_read(fixed, moving, field, weight, pull, sums, bins, n0, n1, n2, m1, m2, count,
                a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, b00, b01, b02, b10, b11, b12, b20, b21, b22,
                D: tl.constexpr, MOVED: tl.constexpr, WEIGHTED: tl.constexpr, SUMS: tl.constexpr,
                BLOCK: tl.constexpr):  # fmt: skip
    """This program's share of what matrix (12) and mix (9) change, where `pull` (bins, bins) pulls at the counts."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    x0, x1, x2 = coordinates(v, m1, m2)
    u0, u1, u2 = moves(field, v, live, count, D, MOVED)
    p0, p1, p2 = places(x0, x1, x2, u0, u1, u2, a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23,
                        b00, b01, b02, b10, b11, b12, b20, b21, b22, D, MOVED)  # fmt: skip
    i0, j0, t0, free0 = between(p0, n0)
    i1, j1, t1, free1 = between(p1, n1)
    i2, j2, t2, free2 = between(p2, n2)
    seen = live & within(p0, p1, p2, n0, n1, n2)
    k00, k01 = (i0 * n1 + i1) * n2, (i0 * n1 + j1) * n2
    k10, k11 = (j0 * n1 + i1) * n2, (j0 * n1 + j1) * n2
    value = value_at(moving, k00, k01, k10, k11, i2, j2, t0, t1, t2, seen, D)
    along0, along1, along2 = along(moving, k00, k01, k10, k11, i2, j2, t0, t1, t2, seen, D)
    row = tl.floor(unit(tl.load(fixed + v, mask=live, other=0.0)) * (bins - 1) + 0.5).to(tl.int32)
    place = unit(value) * (bins - 3) + 1
    base = tl.minimum(tl.floor(place).to(tl.int32), bins - 3)
    t = place - base.to(tl.float32)
    at = pull + row * bins + base
    g = -0.5 * (1 - t) * (1 - t) * tl.load(at - 1, mask=live, other=0.0)
    g += (1.5 * t - 2) * t * tl.load(at, mask=live, other=0.0)
    g += (0.5 + t - 1.5 * t * t) * tl.load(at + 1, mask=live, other=0.0)
    g += 0.5 * t * t * tl.load(at + 2, mask=live, other=0.0)
    if WEIGHTED:
        g *= tl.load(weight + v, mask=seen, other=0.0)
    g = tl.where(seen & (value >= 0) & (value <= 1), g * (bins - 3), 0.0)
    s0 = tl.where(free0, g * along0, 0.0)
    s1 = tl.where(free1, g * along1, 0.0)
    s2 = tl.where(free2, g * along2, 0.0)
    into = sums + tl.program_id(0) * SUMS
    add_three(into, s0, x0, x1, x2)
    add_three(into + 4, s1, x0, x1, x2)
    add_three(into + 8, s2, x0, x1, x2)
    tl.store(into + 3, tl.sum(s0, axis=0))
    tl.store(into + 7, tl.sum(s1, axis=0))
    tl.store(into + 11, tl.sum(s2, axis=0))
    if MOVED:
        add_three(into + 12, s0, u0, u1, u2)
        add_three(into + 15, s1, u0, u1, u2)
        add_three(into + 18, s2, u0, u1, u2)
