"""The tests of two accuracies against worked examples and scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from runner.diff.score import newcombe


def test_newcombe_by_the_published_example() -> None:
    """56 of 70 less 48 of 80: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    difference, low, high, _ = newcombe(48, 80, 56, 70)
    assert (difference, low, high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_newcombe_p_value_is_the_uncorrected_chi_square() -> None:
    expected = stats.chi2_contingency([[48, 32], [56, 14]], correction=False).pvalue
    assert newcombe(48, 80, 56, 70)[3] == pytest.approx(expected)
    assert newcombe(5, 5, 7, 7) == pytest.approx((0.0, newcombe(5, 5, 7, 7)[1], newcombe(5, 5, 7, 7)[2], 1.0))
