"""Gaussians along one axis, the slopes of an image times a gradient, and the longest vector of a field."""

import triton
import triton.language as tl

ROWS, COLUMNS = 8, 128
WARPS = 4
ABREAST = 4
"""Taps that are read before any is added: a loop of single ones would wait for memory each time."""
BLOCK = 1024
GATHERED = 128


@triton.jit(do_not_specialize=["rows", "n", "inner", "radius", "tiles"])
def smooth_across(image, out, rows, n, inner, radius, tiles, exponent, scale,
                  ROWS: tl.constexpr, COLUMNS: tl.constexpr, ABREAST: tl.constexpr):  # fmt: skip
    """Along an axis of n voxels that lie `inner` numbers apart, the edge repeated.

    The weight of the k-th neighbour is scale x exp(exponent x k x k). `rows` is unused: both kernels take the same.
    """
    which = tl.program_id(0)
    j = (which % tiles) * ROWS + tl.arange(0, ROWS)[:, None]
    i = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    base = (which // tiles) * n * inner
    live = (j < n) & (i < inner)
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for chunk in range(0, (2 * radius + ABREAST) // ABREAST):
        for k in tl.static_range(ABREAST):
            tap = chunk * ABREAST + k - radius
            weight = tl.where(tap <= radius, scale * tl.exp(exponent * (tap * tap).to(tl.float32)), 0.0)
            read = tl.minimum(tl.maximum(j + tap, 0), n - 1)
            total += weight * tl.load(image + base + read * inner + i, mask=live, other=0.0)
    tl.store(out + base + j * inner + i, total, mask=live)


@triton.jit(do_not_specialize=["rows", "n", "inner", "radius", "tiles"])
def smooth_along(image, out, rows, n, inner, radius, tiles, exponent, scale,
                 ROWS: tl.constexpr, COLUMNS: tl.constexpr, ABREAST: tl.constexpr):  # fmt: skip
    """Along the last axis of `rows` rows of n voxels, the edge repeated; see `smooth_across`.

    The edge is read by itself: were places clamped, the compiler would not see that neighbours are read by neighbours.
    """
    j = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    i = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    live = (j < rows) & (i < n)
    first = tl.load(image + j * n, mask=j < rows, other=0.0)
    last = tl.load(image + j * n + n - 1, mask=j < rows, other=0.0)
    total = tl.zeros([ROWS, COLUMNS], tl.float32)
    for chunk in range(0, (2 * radius + ABREAST) // ABREAST):
        for k in tl.static_range(ABREAST):
            tap = chunk * ABREAST + k - radius
            weight = tl.where(tap <= radius, scale * tl.exp(exponent * (tap * tap).to(tl.float32)), 0.0)
            at = i + tap
            within = (j < rows) & (at >= 0) & (at < n)
            value = tl.load(image + j * n + at, mask=within, other=0.0)
            total += weight * tl.where(at < 0, first, tl.where(at >= n, last, value))
    tl.store(out + j * n + i, total, mask=live)


@triton.jit(do_not_specialize=["channels", "n0", "n1", "n2", "count"])
def force(warped, gradient, field, channels, n0, n1, n2, count, b00, b01, b02, b10, b11, b12, b20, b21, b22,
          D: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """The gradient times half the difference of the neighbours along each axis, mixed."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    row = v // n2
    x0, x1, x2 = row // n1, row % n1, v % n2
    after1, before1 = v + tl.where(x1 < n1 - 1, n2, 0), v - tl.where(x1 > 0, n2, 0)
    after2, before2 = v + tl.where(x2 < n2 - 1, 1, 0), v - tl.where(x2 > 0, 1, 0)
    after0, before0 = v + tl.where(x0 < n0 - 1, n1 * n2, 0), v - tl.where(x0 > 0, n1 * n2, 0)
    s0 = tl.zeros([BLOCK], tl.float32)
    s1 = tl.zeros([BLOCK], tl.float32)
    s2 = tl.zeros([BLOCK], tl.float32)
    for c in range(channels):
        base = warped + c * count
        g = 0.5 * tl.load(gradient + c * count + v, mask=live, other=0.0)
        if D == 3:
            s0 += g * (tl.load(base + after0, mask=live, other=0.0) - tl.load(base + before0, mask=live, other=0.0))
        s1 += g * (tl.load(base + after1, mask=live, other=0.0) - tl.load(base + before1, mask=live, other=0.0))
        s2 += g * (tl.load(base + after2, mask=live, other=0.0) - tl.load(base + before2, mask=live, other=0.0))
    if D == 3:
        tl.store(field + v, b00 * s0 + b10 * s1 + b20 * s2, mask=live)
        tl.store(field + count + v, b01 * s0 + b11 * s1 + b21 * s2, mask=live)
        tl.store(field + 2 * count + v, b02 * s0 + b12 * s1 + b22 * s2, mask=live)
    else:
        tl.store(field + v, b11 * s1 + b21 * s2, mask=live)
        tl.store(field + count + v, b12 * s1 + b22 * s2, mask=live)


@triton.jit
def _first(q, taps, factor):
    """The first of the fine voxels along an axis that read coarse voxel q."""
    start = tl.floor((q.to(tl.float32) - 1.0 - (factor - 1.0) * 0.5) / factor).to(tl.int32) + 1
    return tl.maximum(tl.where(taps == 1, q, start), 0)


@triton.jit
def _share(x, q, n, m, factor):
    """How much of coarse voxel q the fine voxel x reads along an axis of n coarse and m fine voxels."""
    at = x.to(tl.float32) * factor + (factor - 1.0) * 0.5
    at = tl.minimum(tl.maximum(at, 0.0), (n - 1).to(tl.float32))
    return tl.where(x < m, tl.maximum(1.0 - tl.abs(at - q.to(tl.float32)), 0.0), 0.0)


@triton.jit(do_not_specialize=["channels", "m0", "m1", "m2", "n0", "n1", "n2", "taps0", "taps1", "taps2"])
def force_coarse(warped, gradient, field, channels, m0, m1, m2, n0, n1, n2, taps0, taps1, taps2, f0, f1, f2,
                 b00, b01, b02, b10, b11, b12, b20, b21, b22, D: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """`force` on (m0, m1, m2) voxels, gathered by (n0, n1, n2) coarser ones, each from `taps` along each axis."""
    q = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    count, voxels = n0 * n1 * n2, m0 * m1 * m2
    live = q < count
    q0, q1, q2 = q // n2 // n1, (q // n2) % n1, q % n2
    first0, first1, first2 = _first(q0, taps0, f0), _first(q1, taps1, f1), _first(q2, taps2, f2)
    s0 = tl.zeros([BLOCK], tl.float32)
    s1 = tl.zeros([BLOCK], tl.float32)
    s2 = tl.zeros([BLOCK], tl.float32)
    for t0 in range(0, taps0):
        x0 = first0 + t0
        w0 = _share(x0, q0, n0, m0, f0)
        for t1 in range(0, taps1):
            x1 = first1 + t1
            w1 = w0 * _share(x1, q1, n1, m1, f1)
            for t2 in range(0, taps2):
                x2 = first2 + t2
                w = 0.5 * w1 * _share(x2, q2, n2, m2, f2)
                ok = live & (w > 0)
                v = (x0 * m1 + x1) * m2 + x2
                after1, before1 = v + tl.where(x1 < m1 - 1, m2, 0), v - tl.where(x1 > 0, m2, 0)
                after2, before2 = v + tl.where(x2 < m2 - 1, 1, 0), v - tl.where(x2 > 0, 1, 0)
                for c in range(channels):
                    base = warped + c * voxels
                    g = w * tl.load(gradient + c * voxels + v, mask=ok, other=0.0)
                    if D == 3:
                        after0, before0 = v + tl.where(x0 < m0 - 1, m1 * m2, 0), v - tl.where(x0 > 0, m1 * m2, 0)
                        behind = tl.load(base + before0, mask=ok, other=0.0)
                        s0 += g * (tl.load(base + after0, mask=ok, other=0.0) - behind)
                    s1 += g * (tl.load(base + after1, mask=ok, other=0.0) - tl.load(base + before1, mask=ok, other=0.0))
                    s2 += g * (tl.load(base + after2, mask=ok, other=0.0) - tl.load(base + before2, mask=ok, other=0.0))
    if D == 3:
        tl.store(field + q, b00 * s0 + b10 * s1 + b20 * s2, mask=live)
        tl.store(field + count + q, b01 * s0 + b11 * s1 + b21 * s2, mask=live)
        tl.store(field + 2 * count + q, b02 * s0 + b12 * s1 + b22 * s2, mask=live)
    else:
        tl.store(field + q, b11 * s1 + b21 * s2, mask=live)
        tl.store(field + count + q, b12 * s1 + b22 * s2, mask=live)


@triton.jit(do_not_specialize=["components", "count"])
def largest(field, out, components, count, BLOCK: tl.constexpr):
    """The largest square of a length among these vectors; not a number where one of them is none."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    square = tl.zeros([BLOCK], tl.float32)
    for c in range(components):
        value = tl.load(field + c * count + v, mask=live, other=0.0)
        square += value * value
    odd = tl.sum((square != square).to(tl.int32), axis=0)
    tl.store(out + tl.program_id(0), tl.where(odd > 0, float("nan"), tl.max(square, axis=0)))
