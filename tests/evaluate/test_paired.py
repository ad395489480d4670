import itertools
import math

import numpy as np
import pytest
from scipy import stats

from pullback.errors import FileFormatError, InputError
from pullback.evaluate import Figure, Figures, compare, to_csv
from pullback.evaluate.cohort import compare_methods, comparison_table, read_figures, spreads, spreads_table
from pullback.evaluate.paired import bootstrap, holm, signed_rank


@pytest.mark.parametrize("n", [3, 8, 20, 50])
def test_exact_p_against_scipy(n):
    draw = np.random.default_rng(n).normal(0.3, 1, n)
    expected = stats.wilcoxon(draw, method="exact")
    assert signed_rank(draw)[0] == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("decimals", [6, 1])
def test_normal_p_against_scipy(decimals):
    draw = np.round(np.random.default_rng(7).normal(0.2, 1, 90), decimals)
    assert signed_rank(draw)[0] == pytest.approx(stats.wilcoxon(draw, method="approx").pvalue, rel=1e-9)


def test_exact_p_with_ties_by_trying_all_signs():
    values = np.array([1, 1, -1, 2, 2, -3, 4, 4, 4])
    ranks = stats.rankdata(np.abs(values))
    seen = ranks[values > 0].sum()
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product((False, True), repeat=9)]
    tail = min(np.mean([s >= seen for s in sums]), np.mean([s <= seen for s in sums]))
    p, effect = signed_rank(np.append(values, [0, 0]))
    assert p == pytest.approx(2 * tail)
    assert effect == pytest.approx((2 * seen - ranks.sum()) / ranks.sum())


def test_nothing_differs():
    found = compare([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (found.p, found.effect, found.difference, found.low, found.high) == (1, 0, 0, 0, 0)


def test_bootstrap_against_scipy():
    draw = np.random.default_rng(2).normal(1.0, 2.0, 40)
    judge = stats.bootstrap((draw,), np.mean, method="percentile", n_resamples=10_000, random_state=1)
    assert bootstrap(draw) == pytest.approx(tuple(judge.confidence_interval), abs=0.05)
    assert bootstrap(draw) == bootstrap(draw)
    assert all(math.isnan(x) for x in bootstrap([1.0]))


def test_nan_is_left_out_and_said():
    found = compare([1.0, math.nan, 3.0, 4.0], [2.0, 2.0, math.nan, 6.0])
    assert (found.cases, found.left_out, found.mean_a, found.mean_b) == (2, 2, 2.5, 4.0)
    with pytest.raises(InputError, match="none has"):
        compare([math.nan], [1.0])
    with pytest.raises(InputError, match="for each case"):
        compare([1.0], [1.0, 2.0])


def test_holm_never_lowers_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def cohort(values, method=""):
    """{case: Dice of labels 2 and 10, HD95 of one} as Figures."""
    return [
        Figures((Figure("hd95_mm", far, label="10"), Figure("dice", a, 0.5, "10"), Figure("dice", b, 0.4, "2")),
                case=f"{method}{k}")
        for k, (a, b, far) in enumerate(values)
    ]  # fmt: skip


def test_mean_and_spread_of_cases():
    found = spreads(cohort([(0.8, 0.7, 3.0), (0.9, math.nan, 5.0), (0.7, 0.6, 4.0)]))
    assert [(s.measure, s.label) for s in found] == [("dice", "2"), ("dice", "10"), ("hd95_mm", "10")]
    two, ten, far = found
    assert (two.cases, two.missing, two.mean, two.before) == (2, 1, pytest.approx(0.65), pytest.approx(0.4))
    assert (ten.mean, ten.sd, ten.low, ten.high) == pytest.approx((0.8, 0.1, 0.7, 0.9))
    assert math.isnan(far.before)
    assert "HD95, mm" in spreads_table(found)


def test_methods_are_compared_case_by_case(tmp_path):
    rng = np.random.default_rng(0)
    one = rng.uniform(0.5, 0.9, (12, 3))
    other = np.column_stack([one[:, 0] + 0.05, one[:, 1] + rng.normal(0, 0.02, 12), one[:, 2]])
    tables = []
    for name, values in (("a", one), ("b", other[::-1])):  # matched by name, not by line
        figures = cohort(values.tolist())
        if name == "b":
            figures = [f.called(str(11 - k)) for k, f in enumerate(figures)]
        (tmp_path / name).write_text(to_csv(figures), encoding="utf-8")
        tables.append(read_figures(tmp_path / name))
    found = {(c.measure, c.label): c for c in compare_methods(*tables)}
    ten = found["dice", "10"]
    assert ten.paired.difference == pytest.approx(0.05)
    assert ten.paired.effect == 1
    assert ten.paired.p == pytest.approx(2 / 2**12)
    assert ten.p_holm == pytest.approx(2 * ten.paired.p)
    assert found["hd95_mm", "10"].paired.p == found["hd95_mm", "10"].p_holm == 1
    expected = stats.wilcoxon(other[:, 1] - one[:, 1]).pvalue
    assert found["dice", "2"].paired.p == pytest.approx(expected)
    text = comparison_table(list(found.values()))
    assert "12/12" in text
    assert len(compare_methods(*tables, measures=["hd95_mm"])) == 1
    with pytest.raises(InputError, match="no case in common"):
        compare_methods(tables[0], {"x": tables[0]["1"]})
    with pytest.raises(InputError, match="none of the measures"):
        compare_methods(*tables, measures=["tre_mean_mm"])


def test_a_table_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(FileFormatError, match="columns"):
        read_figures(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("case,measure,label,value\na,dice,1,much\n")
    with pytest.raises(FileFormatError, match="much"):
        read_figures(tmp_path / "b.csv")
    with pytest.raises(FileFormatError, match="No such file"):
        read_figures(tmp_path / "c.csv")
