"""Reading an image at affine-plus-displacement positions, and the three gradients of it.

Each program takes a row of consecutive output voxels. Where programs add to one place, in `adjoint`, they add whole
numbers: sums of those are the same in whatever order.
"""

import triton
import triton.language as tl

BLOCK = 256
WARPS = 4
SUMS = 32
"""Numbers that each program of `slopes` writes of what the matrix (12) and the mix (9) change; room for more."""

SIZES = ["channels", "n0", "n1", "n2", "m1", "m2", "count", "c0", "c1", "c2"]


@triton.jit
def coordinates(v, m1, m2):
    """The output voxel as three numbers."""
    row = v // m2
    return (row // m1).to(tl.float32), (row % m1).to(tl.float32), (v % m2).to(tl.float32)


@triton.jit
def moves(field, v, live, count, D: tl.constexpr, MOVED: tl.constexpr):
    """The displacement; 0 along a third axis that is not there."""
    u0 = tl.zeros_like(v).to(tl.float32)
    u1 = u0
    u2 = u0
    if MOVED:
        if D == 3:
            u0 = tl.load(field + v, mask=live, other=0.0)
            u1 = tl.load(field + count + v, mask=live, other=0.0)
            u2 = tl.load(field + 2 * count + v, mask=live, other=0.0)
        else:
            u1 = tl.load(field + v, mask=live, other=0.0)
            u2 = tl.load(field + count + v, mask=live, other=0.0)
    return u0, u1, u2


@triton.jit
def _apart(x, n, m):
    """The two of n coarse voxels about the x-th of m fine ones along an axis, and how far it is between them.

    In whole numbers, so that what lies on a voxel lies on it; where there are as many, each has its own.
    """
    wide = 2 * m
    at = tl.minimum(tl.maximum((2 * x.to(tl.int32) + 1) * n - m, 0), wide * (n - 1))
    low = tl.where(n == m, at // wide, tl.minimum(at // wide, tl.maximum(n - 2, 0)))
    high = tl.where(n == m, low, tl.minimum(low + 1, n - 1))
    return low, high, (at - low * wide).to(tl.float32) / wide.to(tl.float32)


@triton.jit
def _component(field, live, k00, k01, k10, k11, l2, h2, s0, s1, s2, D: tl.constexpr):
    w00 = (
        tl.load(field + k00 + l2, mask=live, other=0.0) * (1 - s2)
        + tl.load(field + k00 + h2, mask=live, other=0.0) * s2
    )
    w01 = (
        tl.load(field + k01 + l2, mask=live, other=0.0) * (1 - s2)
        + tl.load(field + k01 + h2, mask=live, other=0.0) * s2
    )
    value = w00 * (1 - s1) + w01 * s1
    if D == 3:
        w10 = tl.load(field + k10 + l2, mask=live, other=0.0) * (1 - s2)
        w10 += tl.load(field + k10 + h2, mask=live, other=0.0) * s2
        w11 = tl.load(field + k11 + l2, mask=live, other=0.0) * (1 - s2)
        w11 += tl.load(field + k11 + h2, mask=live, other=0.0) * s2
        value = value * (1 - s0) + (w10 * (1 - s1) + w11 * s1) * s0
    return value


@triton.jit
def _moves_between(field, x0, x1, x2, live, c0, c1, c2, m1, m2, count, D: tl.constexpr):
    """The displacement, read linearly from a coarser grid of (c0, c1, c2) voxels."""
    l0, h0, s0 = _apart(x0, c0, count // (m1 * m2))
    l1, h1, s1 = _apart(x1, c1, m1)
    l2, h2, s2 = _apart(x2, c2, m2)
    k00, k01 = (l0 * c1 + l1) * c2, (l0 * c1 + h1) * c2
    k10, k11 = (h0 * c1 + l1) * c2, (h0 * c1 + h1) * c2
    own = c0 * c1 * c2
    u0 = tl.zeros_like(x0)
    if D == 3:
        u0 = _component(field, live, k00, k01, k10, k11, l2, h2, s0, s1, s2, D)
        u1 = _component(field + own, live, k00, k01, k10, k11, l2, h2, s0, s1, s2, D)
        u2 = _component(field + 2 * own, live, k00, k01, k10, k11, l2, h2, s0, s1, s2, D)
    else:
        u1 = _component(field, live, k00, k01, k10, k11, l2, h2, s0, s1, s2, D)
        u2 = _component(field + own, live, k00, k01, k10, k11, l2, h2, s0, s1, s2, D)
    return u0, u1, u2


@triton.jit
def places(x0, x1, x2, u0, u1, u2, a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23,
            b00, b01, b02, b10, b11, b12, b20, b21, b22, D: tl.constexpr, MOVED: tl.constexpr):  # fmt: skip
    """P = matrix (x, 1) + mix u, in voxels of the image."""
    p0 = a00 * x0 + a01 * x1 + a02 * x2 + a03
    p1 = a10 * x0 + a11 * x1 + a12 * x2 + a13
    p2 = a20 * x0 + a21 * x1 + a22 * x2 + a23
    if MOVED:
        if D == 3:
            p0 += b00 * u0 + b01 * u1 + b02 * u2
            p1 += b10 * u0 + b11 * u1 + b12 * u2
            p2 += b20 * u0 + b21 * u1 + b22 * u2
        else:  # nothing times a third component: what is infinite would become no number
            p1 += b11 * u1 + b12 * u2
            p2 += b21 * u1 + b22 * u2
    return p0, p1, p2


@triton.jit
def within(p0, p1, p2, n0, n1, n2):
    """Whether a position is within half a voxel of the outermost voxel centres; what is not a number is not."""
    one = (p0 >= -0.5) & (p0 < n0.to(tl.float32) - 0.5)
    two = (p1 >= -0.5) & (p1 < n1.to(tl.float32) - 0.5)
    return one & two & (p2 >= -0.5) & (p2 < n2.to(tl.float32) - 0.5)


@triton.jit
def between(p, n):
    """The voxels before and after a position along an axis, how far it is between them, and whether it is free to move.

    The edge is repeated; what is not a number is the first voxel.
    """
    last = (n - 1).to(tl.float32)
    q = tl.where(p == p, p, 0.0)
    free = (q > 0.0) & (q < last)
    q = tl.minimum(tl.maximum(q, 0.0), last)
    low = tl.floor(q)
    before = low.to(tl.int32)
    return before, tl.minimum(before + 1, n - 1), q - low, free


@triton.jit
def _nearest(p, n):
    """The voxel that is nearest along an axis; halves go up."""
    q = tl.where(p == p, p, 0.0)
    q = tl.minimum(tl.maximum(q, 0.0), (n - 1).to(tl.float32))
    return tl.minimum(tl.floor(q + 0.5).to(tl.int32), n - 1)


@triton.jit
def value_at(base, k00, k01, k10, k11, i2, j2, t0, t1, t2, seen, D: tl.constexpr):
    """One channel, between the eight (four) voxels about each position."""
    v000 = tl.load(base + k00 + i2, mask=seen, other=0.0)
    v001 = tl.load(base + k00 + j2, mask=seen, other=0.0)
    v010 = tl.load(base + k01 + i2, mask=seen, other=0.0)
    v011 = tl.load(base + k01 + j2, mask=seen, other=0.0)
    w00 = v000 + t2 * (v001 - v000)
    w01 = v010 + t2 * (v011 - v010)
    value = w00 + t1 * (w01 - w00)
    if D == 3:
        v100 = tl.load(base + k10 + i2, mask=seen, other=0.0)
        v101 = tl.load(base + k10 + j2, mask=seen, other=0.0)
        v110 = tl.load(base + k11 + i2, mask=seen, other=0.0)
        v111 = tl.load(base + k11 + j2, mask=seen, other=0.0)
        w10 = v100 + t2 * (v101 - v100)
        w11 = v110 + t2 * (v111 - v110)
        value += t0 * (w10 + t1 * (w11 - w10) - value)
    return value


@triton.jit(do_not_specialize=SIZES)
def read(image, field, out, channels, n0, n1, n2, m1, m2, count, outside, plus, c0, c1, c2,
         a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, b00, b01, b02, b10, b11, b12, b20, b21, b22,
         D: tl.constexpr, MOVED: tl.constexpr, COARSE: tl.constexpr, NEAREST: tl.constexpr, OUTSIDE: tl.constexpr,
         PLUS: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """Values; where PLUS, `plus` times the displacement is added to them."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    x0, x1, x2 = coordinates(v, m1, m2)
    if COARSE:
        u0, u1, u2 = _moves_between(field, x0, x1, x2, live, c0, c1, c2, m1, m2, count, D)
    else:
        u0, u1, u2 = moves(field, v, live, count, D, MOVED)
    p0, p1, p2 = places(x0, x1, x2, u0, u1, u2, a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23,
                         b00, b01, b02, b10, b11, b12, b20, b21, b22, D, MOVED)  # fmt: skip
    voxels = n0 * n1 * n2
    if NEAREST:
        at = (_nearest(p0, n0) * n1 + _nearest(p1, n1)) * n2 + _nearest(p2, n2)
        for c in range(channels):
            value = tl.load(image + c * voxels + at, mask=live, other=0.0)
            if OUTSIDE:
                value = tl.where(within(p0, p1, p2, n0, n1, n2), value, outside)
            tl.store(out + c * count + v, value, mask=live)
    else:
        i0, j0, t0, _ = between(p0, n0)
        i1, j1, t1, _ = between(p1, n1)
        i2, j2, t2, _ = between(p2, n2)
        k00, k01 = (i0 * n1 + i1) * n2, (i0 * n1 + j1) * n2
        k10, k11 = (j0 * n1 + i1) * n2, (j0 * n1 + j1) * n2
        for c in range(channels):
            base = image + c * voxels
            value = value_at(base, k00, k01, k10, k11, i2, j2, t0, t1, t2, live, D)
            if OUTSIDE:
                value = tl.where(within(p0, p1, p2, n0, n1, n2), value, outside)
            if PLUS:  # again from the cache, whose number is that of the channel
                value += plus * tl.load(field + c * count + v, mask=live, other=0.0)
            tl.store(out + c * count + v, value, mask=live)


@triton.jit
def along(base, k00, k01, k10, k11, i2, j2, t0, t1, t2, seen, D: tl.constexpr):
    """The slopes of one channel along its axes, from the eight (four) voxels about each position."""
    v000 = tl.load(base + k00 + i2, mask=seen, other=0.0)
    v001 = tl.load(base + k00 + j2, mask=seen, other=0.0)
    v010 = tl.load(base + k01 + i2, mask=seen, other=0.0)
    v011 = tl.load(base + k01 + j2, mask=seen, other=0.0)
    w00 = v000 + t2 * (v001 - v000)
    w01 = v010 + t2 * (v011 - v010)
    along0 = tl.zeros_like(t0)
    along1 = w01 - w00
    along2 = v001 - v000 + t1 * (v011 - v010 - v001 + v000)
    if D == 3:
        v100 = tl.load(base + k10 + i2, mask=seen, other=0.0)
        v101 = tl.load(base + k10 + j2, mask=seen, other=0.0)
        v110 = tl.load(base + k11 + i2, mask=seen, other=0.0)
        v111 = tl.load(base + k11 + j2, mask=seen, other=0.0)
        w10 = v100 + t2 * (v101 - v100)
        w11 = v110 + t2 * (v111 - v110)
        along0 = w10 + t1 * (w11 - w10) - w00 - t1 * along1
        along1 += t0 * (w11 - w10 - along1)
        along2 += t0 * (v101 - v100 + t1 * (v111 - v110 - v101 + v100) - along2)
    return along0, along1, along2


@triton.jit
def _store_field(into, from_, v, live, count, plus, q0, q1, q2, D: tl.constexpr, PLUS: tl.constexpr):
    """The components of a field, with `plus` times those of another."""
    if D == 3:
        if PLUS:
            q0 += plus * tl.load(from_ + v, mask=live, other=0.0)
            q1 += plus * tl.load(from_ + count + v, mask=live, other=0.0)
            q2 += plus * tl.load(from_ + 2 * count + v, mask=live, other=0.0)
        tl.store(into + v, q0, mask=live)
        tl.store(into + count + v, q1, mask=live)
        tl.store(into + 2 * count + v, q2, mask=live)
    else:
        if PLUS:
            q1 += plus * tl.load(from_ + v, mask=live, other=0.0)
            q2 += plus * tl.load(from_ + count + v, mask=live, other=0.0)
        tl.store(into + v, q1, mask=live)
        tl.store(into + count + v, q2, mask=live)


@triton.jit(do_not_specialize=SIZES[:7])
def slopes(image, field, gradient, to_field, sums, channels, n0, n1, n2, m1, m2, count, plus,
           a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, b00, b01, b02, b10, b11, b12, b20, b21, b22,
           D: tl.constexpr, MOVED: tl.constexpr, OUTSIDE: tl.constexpr, PLUS: tl.constexpr,
           FIELD: tl.constexpr, MATRIX: tl.constexpr, SUMS: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """What the displacement changes (FIELD), and this program's share of what matrix and mix change (MATRIX)."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    x0, x1, x2 = coordinates(v, m1, m2)
    u0, u1, u2 = moves(field, v, live, count, D, MOVED)
    p0, p1, p2 = places(x0, x1, x2, u0, u1, u2, a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23,
                         b00, b01, b02, b10, b11, b12, b20, b21, b22, D, MOVED)  # fmt: skip
    i0, j0, t0, free0 = between(p0, n0)
    i1, j1, t1, free1 = between(p1, n1)
    i2, j2, t2, free2 = between(p2, n2)
    k00, k01 = (i0 * n1 + i1) * n2, (i0 * n1 + j1) * n2
    k10, k11 = (j0 * n1 + i1) * n2, (j0 * n1 + j1) * n2
    seen = live
    if OUTSIDE:
        seen = live & within(p0, p1, p2, n0, n1, n2)
    s0 = tl.zeros([BLOCK], tl.float32)
    s1 = tl.zeros([BLOCK], tl.float32)
    s2 = tl.zeros([BLOCK], tl.float32)
    for c in range(channels):
        g = tl.load(gradient + c * count + v, mask=seen, other=0.0)
        along0, along1, along2 = along(image + c * n0 * n1 * n2, k00, k01, k10, k11, i2, j2, t0, t1, t2, seen, D)
        s0 += g * along0
        s1 += g * along1
        s2 += g * along2
    s0 = tl.where(free0, s0, 0.0)
    s1 = tl.where(free1, s1, 0.0)
    s2 = tl.where(free2, s2, 0.0)
    if FIELD:
        q0 = b00 * s0 + b10 * s1 + b20 * s2
        q1 = b01 * s0 + b11 * s1 + b21 * s2
        q2 = b02 * s0 + b12 * s1 + b22 * s2
        _store_field(to_field, gradient, v, live, count, plus, q0, q1, q2, D, PLUS)
    if MATRIX:
        into = sums + tl.program_id(0) * SUMS
        _add(into, s0, x0, x1, x2)
        _add(into + 4, s1, x0, x1, x2)
        _add(into + 8, s2, x0, x1, x2)
        if MOVED:
            add_three(into + 12, s0, u0, u1, u2)
            add_three(into + 15, s1, u0, u1, u2)
            add_three(into + 18, s2, u0, u1, u2)


@triton.jit
def _add(into, s, x0, x1, x2):
    add_three(into, s, x0, x1, x2)
    tl.store(into + 3, tl.sum(s, axis=0))


@triton.jit
def add_three(into, s, x0, x1, x2):
    tl.store(into, tl.sum(s * x0, axis=0))
    tl.store(into + 1, tl.sum(s * x1, axis=0))
    tl.store(into + 2, tl.sum(s * x2, axis=0))


@triton.jit(do_not_specialize=SIZES[:7])
def adjoint(gradient, scale, field, image, channels, n0, n1, n2, m1, m2, count,
            a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, b00, b01, b02, b10, b11, b12, b20, b21, b22,
            D: tl.constexpr, MOVED: tl.constexpr, NEAREST: tl.constexpr, OUTSIDE: tl.constexpr,
            BLOCK: tl.constexpr):  # fmt: skip
    """Add to `image`, 64-bit whole numbers, `scale` times what each of its voxels gave."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    x0, x1, x2 = coordinates(v, m1, m2)
    u0, u1, u2 = moves(field, v, live, count, D, MOVED)
    p0, p1, p2 = places(x0, x1, x2, u0, u1, u2, a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23,
                         b00, b01, b02, b10, b11, b12, b20, b21, b22, D, MOVED)  # fmt: skip
    seen = live
    if OUTSIDE:
        seen = live & within(p0, p1, p2, n0, n1, n2)
    factor = tl.load(scale)
    if NEAREST:
        at = (_nearest(p0, n0) * n1 + _nearest(p1, n1)) * n2 + _nearest(p2, n2)
        for c in range(channels):
            g = factor * tl.load(gradient + c * count + v, mask=seen, other=0.0)
            tl.atomic_add(image + c * n0 * n1 * n2 + at, g.to(tl.int64), mask=seen, sem="relaxed")
    else:
        i0, j0, t0, _ = between(p0, n0)
        i1, j1, t1, _ = between(p1, n1)
        i2, j2, t2, _ = between(p2, n2)
        for c in range(channels):
            base = image + c * n0 * n1 * n2
            g = factor * tl.load(gradient + c * count + v, mask=seen, other=0.0)
            if D == 3:
                _scatter(base + i0 * n1 * n2, g * (1 - t0), i1, j1, t1, i2, j2, t2, n2, seen)
                _scatter(base + j0 * n1 * n2, g * t0, i1, j1, t1, i2, j2, t2, n2, seen)
            else:
                _scatter(base + i0 * n1 * n2, g, i1, j1, t1, i2, j2, t2, n2, seen)


@triton.jit
def _scatter(base, g, i1, j1, t1, i2, j2, t2, n2, seen):
    tl.atomic_add(base + i1 * n2 + i2, (g * (1 - t1) * (1 - t2)).to(tl.int64), mask=seen, sem="relaxed")
    tl.atomic_add(base + i1 * n2 + j2, (g * (1 - t1) * t2).to(tl.int64), mask=seen, sem="relaxed")
    tl.atomic_add(base + j1 * n2 + i2, (g * t1 * (1 - t2)).to(tl.int64), mask=seen, sem="relaxed")
    tl.atomic_add(base + j1 * n2 + j2, (g * t1 * t2).to(tl.int64), mask=seen, sem="relaxed")


@triton.jit(do_not_specialize=["n0", "n1", "n2", "m1", "m2", "count", "c0", "c1", "c2"])
def inside(field, out, n0, n1, n2, m1, m2, count, c0, c1, c2,
           a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23, b00, b01, b02, b10, b11, b12, b20, b21, b22,
           D: tl.constexpr, MOVED: tl.constexpr, COARSE: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """1 where a position lies inside the image, 0 elsewhere."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    x0, x1, x2 = coordinates(v, m1, m2)
    if COARSE:
        u0, u1, u2 = _moves_between(field, x0, x1, x2, live, c0, c1, c2, m1, m2, count, D)
    else:
        u0, u1, u2 = moves(field, v, live, count, D, MOVED)
    p0, p1, p2 = places(x0, x1, x2, u0, u1, u2, a00, a01, a02, a03, a10, a11, a12, a13, a20, a21, a22, a23,
                         b00, b01, b02, b10, b11, b12, b20, b21, b22, D, MOVED)  # fmt: skip
    tl.store(out + v, within(p0, p1, p2, n0, n1, n2).to(tl.float32), mask=live)
