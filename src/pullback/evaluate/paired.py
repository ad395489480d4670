"""Two methods on the same cases: is one better, by how much, and how sure is that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pullback.errors import InputError

EXACT_UP_TO = 50
"""So many differences are tested with the exact distribution, more with the normal one."""
RESAMPLES = 10_000


@dataclass(frozen=True)
class PairedComparison:
    """The differences b - a of one figure over cases.

    Attributes:
        cases: how many have both numbers.
        left_out: how many lack one (NaN), and are not compared.
        mean_a: mean of a over the cases compared.
        mean_b: likewise.
        difference: mean of b - a.
        low: lower end of the 95 % interval of that mean: the 2.5 % percentile over 10,000 bootstrap resamples of the
            cases. NaN for fewer than two cases.
        high: upper end.
        p: Wilcoxon's signed-rank test, two-sided: how likely a sum of ranks as lopsided as this one is if b - a is as
            often above 0 as below. 1 if no case differs.
        effect: matched-pairs rank-biserial correlation, (W+ - W-) / (W+ + W-): 1 if b is greater in every case that
            differs, -1 if a is, 0 if they balance.
        b_greater: cases with b > a.
        b_less: cases with b < a.
    """

    cases: int
    left_out: int
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    p: float
    effect: float
    b_greater: int
    b_less: int


def compare(a: Sequence[float], b: Sequence[float], seed: int = 0) -> PairedComparison:
    """Compare two methods by one figure on the same cases.

    Args:
        a: the figure of the first method for each case; NaN where it has none.
        b: of the second, the same cases in the same order.
        seed: of the bootstrap.

    Raises:
        InputError: there are not as many of one as of the other, or no case has both.

    Example:
        >>> found = compare([0.80, 0.70, 0.75, 0.90, 0.60], [0.82, 0.75, 0.78, 0.91, 0.64])
        >>> round(found.difference, 3), found.p, found.effect, found.b_greater
        (0.03, 0.0625, 1.0, 5)
    """
    if len(a) != len(b):
        raise InputError(f"both methods need a number for each case; got {len(a)} and {len(b)}")
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        raise InputError(f"of {len(a)} cases none has a number of both methods; there is nothing to compare")
    differences = second[both] - first[both]
    low, high = bootstrap(differences, seed)
    p, effect = signed_rank(differences)
    return PairedComparison(
        cases=int(both.sum()),
        left_out=int((~both).sum()),
        mean_a=float(first[both].mean()),
        mean_b=float(second[both].mean()),
        difference=float(differences.mean()),
        low=low,
        high=high,
        p=p,
        effect=effect,
        b_greater=int((differences > 0).sum()),
        b_less=int((differences < 0).sum()),
    )


def signed_rank(differences: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """(p, effect) of Wilcoxon's signed-rank test, two-sided (Biometrics Bulletin 1(6), 1945).

    Differences of 0 are left out; equal sizes share the mean of their ranks. Up to 50 differences p is exact: all 2^n
    choices of signs are counted, of the ranks as they are, ties among them. For more, the normal distribution is used,
    with its variance corrected for ties. The effect is Kerby's (Comprehensive Psychology 3, 2014).

    Example:
        >>> signed_rank([1.0, 2.0, 3.0, 4.0, -5.0])
        (0.625, 0.3333333333333333)
    """
    values = np.asarray(differences, dtype=np.float64)
    values = values[values != 0]
    if values.size == 0:
        return 1.0, 0.0
    doubled = _doubled_ranks(np.abs(values))  # twice the ranks: whole numbers, also for ties
    whole, plus = int(doubled.sum()), int(doubled[values > 0].sum())
    effect = (2 * plus - whole) / whole
    if values.size <= EXACT_UP_TO:
        ways = np.ones(1)
        for rank in doubled:
            shifted = np.zeros(ways.size + int(rank))
            shifted[: ways.size] += ways
            shifted[int(rank) :] += ways
            ways = shifted / 2  # chances, so that they do not overflow
        return min(1.0, 2 * float(ways[: min(plus, whole - plus) + 1].sum())), effect
    deviation = math.sqrt(float((doubled**2).sum())) / 2  # of W+ in doubled ranks, ties included
    return math.erfc(abs(plus - whole / 2) / deviation / math.sqrt(2)), effect


def bootstrap(values: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the mean (Efron, Annals of Statistics 7(1), 1979); NaN for fewer than two."""
    data = np.asarray(values, dtype=np.float64)
    if data.size < 2:
        return math.nan, math.nan
    draw = np.random.default_rng(seed)
    means = np.concatenate([data[draw.integers(0, data.size, (100, data.size))].mean(axis=1)
                            for _ in range(RESAMPLES // 100)])  # fmt: skip
    low, high = np.percentile(means, [2.5, 97.5]).tolist()
    return low, high


def holm(chances: Sequence[float]) -> list[float]:
    """The p values, raised for having tested several hypotheses (Holm, Scandinavian Journal of Statistics 6(2), 1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(chances)), key=lambda k: chances[k])
    result, largest = [1.0] * len(chances), 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (len(chances) - place) * chances[k]))
        result[k] = largest
    return result


def _doubled_ranks(sizes: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    doubled: np.ndarray = (2 * last - counts + 1)[place]
    return doubled
