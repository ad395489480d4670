"""Local normalised cross-correlation and its gradient in four sweeps, none of which adds up across programs.

`sums` adds products of the images over rows and columns of each box, `measure` over slices, and makes of them the
correlation and three fields whose own box sums are the gradient; these are added up by `plane` and by `pull`.
"""

import triton
import triton.language as tl

COLUMNS, ABREAST = 64, 2
WARPS = 4
BLOCK = 256
"""Columns of a program that goes down rows, its warps, and those of the others."""
CHUNKS, ENOUGH = (32, 16, 8), 1300
"""Rows that a program goes down: as many as leave enough programs."""

SIZES = ["n0", "n1", "n2", "r0", "r1", "r2"]


@triton.jit
def _row(fixed, warped, weight, off, slice_, row, n1, x, n2, r2, WEIGHTED: tl.constexpr):
    """Sums over the part of each box in one row: i, j, ii, jj, ij, each times the weight, and the weight itself."""
    si = tl.zeros_like(x).to(tl.float32)
    sj, sii, sjj, sij, sw = si, si, si, si, si
    rows = tl.zeros_like(x) + row  # a plain number is no part of a mask under the interpreter
    there = (rows >= 0) & (rows < n1)
    for dx in range(-r2, r2 + 1):
        ok = there & (x + dx >= 0) & (x + dx < n2)
        at = slice_ + row * n2 + x + dx
        i = tl.load(fixed + at, mask=ok, other=off) - off
        j = tl.load(warped + at, mask=ok, other=off) - off
        wi, wj = i, j
        if WEIGHTED:
            w = tl.load(weight + at, mask=ok, other=0.0)
            wi, wj = w * i, w * j
            sw += w
        si += wi
        sj += wj
        sii += wi * i
        sjj += wj * j
        sij += wi * j
    return si, sj, sii, sjj, sij, sw


@triton.jit(do_not_specialize=[*SIZES, "chunk", "chunks"])
def sums(fixed, warped, weight, level, out, n0, n1, n2, r0, r1, r2, chunk, chunks,
         WEIGHTED: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    """Over the part of each box in its own slice: i, j, ii, jj, ij, each times the weight, and the weight itself.

    Each program goes down `chunk` rows; the row that enters a box is added, the one that leaves it taken off.
    """
    which = tl.program_id(0)
    y0 = (which % chunks) * chunk
    x = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    count, slice_ = n0 * n1 * n2, (which // chunks) * n1 * n2
    off = tl.load(level)
    si = tl.zeros([COLUMNS], tl.float32)
    sj, sii, sjj, sij, sw = si, si, si, si, si
    for row in range(y0 - r1, y0 + r1):
        ei, ej, eii, ejj, eij, ew = _row(fixed, warped, weight, off, slice_, row, n1, x, n2, r2, WEIGHTED)
        si += ei
        sj += ej
        sii += eii
        sjj += ejj
        sij += eij
        sw += ew
    for y in range(y0, tl.minimum(y0 + chunk, n1)):
        ei, ej, eii, ejj, eij, ew = _row(fixed, warped, weight, off, slice_, y + r1, n1, x, n2, r2, WEIGHTED)
        si += ei
        sj += ej
        sii += eii
        sjj += ejj
        sij += eij
        sw += ew
        v = out + slice_ + y * n2 + x
        live = x < n2
        tl.store(v, si, mask=live)
        tl.store(v + count, sj, mask=live)
        tl.store(v + 2 * count, sii, mask=live)
        tl.store(v + 3 * count, sjj, mask=live)
        tl.store(v + 4 * count, sij, mask=live)
        if WEIGHTED:
            tl.store(v + 5 * count, sw, mask=live)
        ei, ej, eii, ejj, eij, ew = _row(fixed, warped, weight, off, slice_, y - r1, n1, x, n2, r2, WEIGHTED)
        si -= ei
        sj -= ej
        sii -= eii
        sjj -= ejj
        sij -= eij
        sw -= ew


@triton.jit
def _reach(x, n, r):
    """How many voxels of a line a box of radius r about x holds."""
    return (tl.minimum(x + r, n - 1) - tl.maximum(x - r, 0) + 1).to(tl.float32)


@triton.jit(do_not_specialize=SIZES)
def measure(partial, weight, out, totals, n0, n1, n2, r0, r1, r2, floor, robust,
            WEIGHTED: tl.constexpr, GRADIENT: tl.constexpr, ROBUST: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
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
    steep = w
    total = w * like
    if ROBUST:  # `robust` is 1 / threshold
        unlike = 1.0 - like
        bound = 1.0 + robust * unlike
        total = w * (1.0 - (1.0 + robust) * unlike / bound)
        steep = w * (1.0 + robust) / (bound * bound)
    tl.store(totals + tl.program_id(0), tl.sum(total, axis=0))
    if GRADIENT:
        by_cov = steep * 2 * tl.abs(cov) / (a * b * n)
        by_var = tl.where(var_j >= 0, steep * 2 * like / (b * n), 0.0)
        tl.store(out + v, by_cov, mask=live)
        tl.store(out + count + v, by_var, mask=live)
        tl.store(out + 2 * count + v, by_cov * mi - by_var * mj, mask=live)


@triton.jit
def _row_of_three(fields, slice_, row, n1, x, n2, r2, count):
    """Sums of three fields over the part of each box in one row."""
    one = tl.zeros_like(x).to(tl.float32)
    two, three = one, one
    rows = tl.zeros_like(x) + row  # a plain number is no part of a mask under the interpreter
    there = (rows >= 0) & (rows < n1)
    for dx in range(-r2, r2 + 1):
        ok = there & (x + dx >= 0) & (x + dx < n2)
        at = fields + slice_ + row * n2 + x + dx
        one += tl.load(at, mask=ok, other=0.0)
        two += tl.load(at + count, mask=ok, other=0.0)
        three += tl.load(at + 2 * count, mask=ok, other=0.0)
    return one, two, three


@triton.jit(do_not_specialize=[*SIZES, "chunk", "chunks"])
def plane(fields, out, n0, n1, n2, r0, r1, r2, chunk, chunks, COLUMNS: tl.constexpr):
    """Sums of three fields over the part of each box in its own slice, row by row as in `sums`."""
    which = tl.program_id(0)
    y0, slice_ = (which % chunks) * chunk, (which // chunks) * n1 * n2
    x = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    count = n0 * n1 * n2
    one = tl.zeros([COLUMNS], tl.float32)
    two, three = one, one
    for row in range(y0 - r1, y0 + r1):
        e1, e2, e3 = _row_of_three(fields, slice_, row, n1, x, n2, r2, count)
        one += e1
        two += e2
        three += e3
    for y in range(y0, tl.minimum(y0 + chunk, n1)):
        e1, e2, e3 = _row_of_three(fields, slice_, y + r1, n1, x, n2, r2, count)
        one += e1
        two += e2
        three += e3
        v = out + slice_ + y * n2 + x
        tl.store(v, one, mask=x < n2)
        tl.store(v + count, two, mask=x < n2)
        tl.store(v + 2 * count, three, mask=x < n2)
        e1, e2, e3 = _row_of_three(fields, slice_, y - r1, n1, x, n2, r2, count)
        one -= e1
        two -= e2
        three -= e3


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
