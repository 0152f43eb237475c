"""The tests of two accuracies against worked examples and scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from runner.diff.accuracy import mcnemar, newcombe


def test_mcnemar_is_a_sign_test_of_what_differs() -> None:
    right_a = [True] * 60 + [True] * 4 + [False] * 15 + [False] * 21
    right_b = [True] * 60 + [False] * 4 + [True] * 15 + [False] * 21
    difference, low, high, p_value = mcnemar(right_a, right_b)
    assert difference == pytest.approx(0.11)
    assert 0 < low < 0.11 < high < 0.22
    assert p_value == pytest.approx(stats.binomtest(15, 19, 0.5).pvalue)
    assert mcnemar(right_b, right_a)[:3] == pytest.approx((-difference, -high, -low))


def test_mcnemar_of_the_same_answers() -> None:
    assert mcnemar([True, False], [True, False]) == (0.0, 0.0, 0.0, 1.0)


def test_newcombe_by_the_published_example() -> None:
    """56 of 70 less 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    difference, low, high, _ = newcombe(48, 80, 56, 70)
    assert (difference, low, high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_newcombe_p_value_is_the_uncorrected_chi_square() -> None:
    expected = stats.chi2_contingency([[48, 32], [56, 14]], correction=False).pvalue
    assert newcombe(48, 80, 56, 70)[3] == pytest.approx(expected)
    assert newcombe(5, 5, 7, 7) == pytest.approx((0.0, newcombe(5, 5, 7, 7)[1], newcombe(5, 5, 7, 7)[2], 1.0))
