"""Local normalised cross-correlation and its gradient in four sweeps, none of which adds up across programs.

`sums` adds products of the images over rows and columns of each box, `measure` over slices, and makes of them the
correlation and three fields whose own box sums are the gradient; these are added up by `plane` and by `pull`.
"""

import triton
import triton.language as tl

ROWS, COLUMNS = 4, 64
WARPS = 4
BLOCK = 256

SIZES = ["n0", "n1", "n2", "r0", "r1", "r2"]


@triton.jit(do_not_specialize=[*SIZES, "tiles"])
def sums(fixed, warped, weight, level, out, n0, n1, n2, r0, r1, r2, tiles,
         WEIGHTED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    """Over the part of each box in its own slice: i, j, ii, jj, ij, each times the weight, and the weight itself."""
    which = tl.program_id(0)
    z = which // tiles
    y = (which % tiles) * ROWS + tl.arange(0, ROWS)[:, None]
    x = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    count = n0 * n1 * n2
    off = tl.load(level)
    si = tl.zeros([ROWS, COLUMNS], tl.float32)
    sj, sii, sjj, sij, sw = si, si, si, si, si
    for dy in range(-r1, r1 + 1):
        row = y + dy
        at = (z * n1 + row) * n2
        there = (row >= 0) & (row < n1)
        for dx in range(-r2, r2 + 1):
            ok = there & (x + dx >= 0) & (x + dx < n2)
            i = tl.where(ok, tl.load(fixed + at + x + dx, mask=ok, other=0.0) - off, 0.0)
            j = tl.where(ok, tl.load(warped + at + x + dx, mask=ok, other=0.0) - off, 0.0)
            wi, wj = i, j
            if WEIGHTED:
                w = tl.load(weight + at + x + dx, mask=ok, other=0.0)
                wi, wj = w * i, w * j
                sw += w
            si += wi
            sj += wj
            sii += wi * i
            sjj += wj * j
            sij += wi * j
    v = (z * n1 + y) * n2 + x
    live = (y < n1) & (x < n2)
    tl.store(out + v, si, mask=live)
    tl.store(out + count + v, sj, mask=live)
    tl.store(out + 2 * count + v, sii, mask=live)
    tl.store(out + 3 * count + v, sjj, mask=live)
    tl.store(out + 4 * count + v, sij, mask=live)
    if WEIGHTED:
        tl.store(out + 5 * count + v, sw, mask=live)


@triton.jit
def _reach(x, n, r):
    """How many voxels of a line a box of radius r about x holds."""
    return (tl.minimum(x + r, n - 1) - tl.maximum(x - r, 0) + 1).to(tl.float32)


@triton.jit(do_not_specialize=SIZES)
def measure(partial, weight, out, totals, n0, n1, n2, r0, r1, r2, floor,
            WEIGHTED: tl.constexpr, GRADIENT: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """This program's share of the loss; where GRADIENT, what each box adds to the gradient at its voxels."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    count, stride = n0 * n1 * n2, n1 * n2
    live = v < count
    z = v // stride
    si = tl.zeros([BLOCK], tl.float32)
    sj, sii, sjj, sij, sw = si, si, si, si, si
    for dz in range(-r0, r0 + 1):
        ok = live & (z + dz >= 0) & (z + dz < n0)
        at = partial + v + dz * stride
        si += tl.load(at, mask=ok, other=0.0)
        sj += tl.load(at + count, mask=ok, other=0.0)
        sii += tl.load(at + 2 * count, mask=ok, other=0.0)
        sjj += tl.load(at + 3 * count, mask=ok, other=0.0)
        sij += tl.load(at + 4 * count, mask=ok, other=0.0)
        if WEIGHTED:
            sw += tl.load(at + 5 * count, mask=ok, other=0.0)
    if WEIGHTED:
        w = tl.load(weight + v, mask=live, other=0.0)
        n = tl.maximum(sw, 1e-6)
    else:
        w = live.to(tl.float32)
        n = _reach(z, n0, r0) * _reach((v // n2) % n1, n1, r1) * _reach(v % n2, n2, r2)
        n = tl.where(live, n, 1.0)
    mi, mj = si / n, sj / n
    cov = sij / n - mi * mj + floor
    var_j = sjj / n - mj * mj
    a = tl.maximum(sii / n - mi * mi, 0.0) + floor
    b = tl.maximum(var_j, 0.0) + floor
    like = cov * tl.abs(cov) / (a * b)
    tl.store(totals + tl.program_id(0), tl.sum(w * like, axis=0))
    if GRADIENT:
        by_cov = w * 2 * tl.abs(cov) / (a * b * n)
        by_var = tl.where(var_j >= 0, w * 2 * like / (b * n), 0.0)
        tl.store(out + v, by_cov, mask=live)
        tl.store(out + count + v, by_var, mask=live)
        tl.store(out + 2 * count + v, by_cov * mi - by_var * mj, mask=live)


@triton.jit(do_not_specialize=[*SIZES, "tiles"])
def plane(fields, out, n0, n1, n2, r0, r1, r2, tiles, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Sums of three fields over the part of each box in its own slice."""
    which = tl.program_id(0)
    z = which // tiles
    y = (which % tiles) * ROWS + tl.arange(0, ROWS)[:, None]
    x = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    count = n0 * n1 * n2
    one = tl.zeros([ROWS, COLUMNS], tl.float32)
    two, three = one, one
    for dy in range(-r1, r1 + 1):
        row = y + dy
        at = (z * n1 + row) * n2
        there = (row >= 0) & (row < n1)
        for dx in range(-r2, r2 + 1):
            ok = there & (x + dx >= 0) & (x + dx < n2)
            one += tl.load(fields + at + x + dx, mask=ok, other=0.0)
            two += tl.load(fields + count + at + x + dx, mask=ok, other=0.0)
            three += tl.load(fields + 2 * count + at + x + dx, mask=ok, other=0.0)
    v = (z * n1 + y) * n2 + x
    live = (y < n1) & (x < n2)
    tl.store(out + v, one, mask=live)
    tl.store(out + count + v, two, mask=live)
    tl.store(out + 2 * count + v, three, mask=live)


@triton.jit(do_not_specialize=["n0", "stride", "r0"])
def pull(fields, fixed, warped, weight, level, scale, gradient, n0, stride, r0,
         WEIGHTED: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """The gradient of the loss with respect to the warped image, times `scale`."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    count = n0 * stride
    live = v < count
    z = v // stride
    by_cov = tl.zeros([BLOCK], tl.float32)
    by_var, rest = by_cov, by_cov
    for dz in range(-r0, r0 + 1):
        ok = live & (z + dz >= 0) & (z + dz < n0)
        at = fields + v + dz * stride
        by_cov += tl.load(at, mask=ok, other=0.0)
        by_var += tl.load(at + count, mask=ok, other=0.0)
        rest += tl.load(at + 2 * count, mask=ok, other=0.0)
    off = tl.load(level)
    i = tl.load(fixed + v, mask=live, other=0.0) - off
    j = tl.load(warped + v, mask=live, other=0.0) - off
    found = -tl.load(scale) * (i * by_cov - j * by_var - rest)
    if WEIGHTED:
        found *= tl.load(weight + v, mask=live, other=0.0)
    tl.store(gradient + v, found, mask=live)
