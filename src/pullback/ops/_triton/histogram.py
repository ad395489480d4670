"""The joint histogram as a product of matrices: (voxels in each fixed bin) x (how each spreads over the warped bins).

Each program counts its own voxels; nothing is added up across programs, so that counts are the same in every run.
"""

import triton
import triton.language as tl

BLOCK = 64
WARPS = 4
PULLED = 512


@triton.jit
def unit(value):
    """Within 0 and 1; what is not a number is 0."""
    value = tl.where(value == value, value, 0.0)
    return tl.minimum(tl.maximum(value, 0.0), 1.0)


@triton.jit
def spline(x):
    """The cubic B-spline."""
    far = tl.abs(x)
    near = 2.0 / 3.0 - far * far * (1.0 - 0.5 * far)
    rest = tl.maximum(2.0 - far, 0.0)
    return tl.where(far < 1.0, near, rest * rest * rest / 6.0)


@triton.jit(do_not_specialize=["count", "bins", "loops"])
def count_pairs(fixed, warped, weight, out, count, bins, loops,
                WEIGHTED: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """This program's voxels, (WIDTH, WIDTH), rows fixed."""
    column = tl.arange(0, WIDTH)
    joint = tl.zeros([WIDTH, WIDTH], tl.float32)
    first = tl.program_id(0) * loops * BLOCK
    for k in range(0, tl.minimum(loops, (count - first + BLOCK - 1) // BLOCK)):
        v = first + k * BLOCK + tl.arange(0, BLOCK)
        live = v < count
        row = tl.floor(unit(tl.load(fixed + v, mask=live, other=0.0)) * (bins - 1) + 0.5).to(tl.int32)
        place = unit(tl.load(warped + v, mask=live, other=0.0)) * (bins - 3) + 1
        counts = live.to(tl.float32)
        if WEIGHTED:
            counts = tl.load(weight + v, mask=live, other=0.0)
        among = tl.where(column[:, None] == row[None, :], counts[None, :], 0.0)
        spread = spline(place[:, None] - column[None, :].to(tl.float32))
        joint += tl.dot(among, spread, input_precision="ieee")
    tl.store(out + tl.program_id(0) * WIDTH * WIDTH + column[:, None] * WIDTH + column[None, :], joint)


@triton.jit(do_not_specialize=["count", "bins"])
def pull(fixed, warped, weight, upstream, scale, gradient, count, bins,
         WEIGHTED: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """The gradient with respect to the warped image, times `scale`."""
    v = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = v < count
    value = tl.load(warped + v, mask=live, other=0.0)
    row = tl.floor(unit(tl.load(fixed + v, mask=live, other=0.0)) * (bins - 1) + 0.5).to(tl.int32)
    place = unit(value) * (bins - 3) + 1
    base = tl.minimum(tl.floor(place).to(tl.int32), bins - 3)
    t = place - base.to(tl.float32)
    at = upstream + row * bins + base
    found = -0.5 * (1 - t) * (1 - t) * tl.load(at - 1, mask=live, other=0.0)
    found += (1.5 * t - 2) * t * tl.load(at, mask=live, other=0.0)
    found += (0.5 + t - 1.5 * t * t) * tl.load(at + 1, mask=live, other=0.0)
    found += 0.5 * t * t * tl.load(at + 2, mask=live, other=0.0)
    found *= tl.load(scale) * (bins - 3)
    if WEIGHTED:
        found *= tl.load(weight + v, mask=live, other=0.0)
    tl.store(gradient + v, tl.where((value >= 0) & (value <= 1), found, 0.0), mask=live)
