"""A trial's rates are computed, and a trial with another precision than declared is unfair."""

from __future__ import annotations

from runner.models.flops import CallFlops
from runner.results.records.trial import Rates
from runner.sweep.peaks import Peaks
from runner.sweep.rates import impossible_rate, rates, wrong_precision

PEAKS = Peaks(1, float32_flops_per_second=100e9, int8_flops_per_second=400e9)
FLOPS = CallFlops(useful=1e9, padded=2e9)


def test_rates_of_a_trial() -> None:
    assert rates(FLOPS, 0.04, "float32", PEAKS) == Rates(
        flops_per_call=1e9,
        padded_flops_per_call=2e9,
        flops_per_second=25e9,
        padded_flops_per_second=50e9,
        peak_fraction=0.5,
    )


def test_without_precision_or_peak_there_is_no_fraction() -> None:
    assert rates(FLOPS, 0.04, None, PEAKS).peak_fraction is None
    assert rates(FLOPS, 0.04, "float32", Peaks(1)).peak_fraction is None


def test_a_precision_that_is_emulated_is_held_against_float32() -> None:
    slow = Peaks(1, float32_flops_per_second=100e9, bfloat16_flops_per_second=1e9)
    assert rates(FLOPS, 0.04, "bfloat16", slow).peak_fraction == rates(FLOPS, 0.04, "float32", slow).peak_fraction


def test_without_a_count_there_are_no_rates() -> None:
    assert rates(None, 0.04, "float32", PEAKS) == Rates()
    assert impossible_rate(None, "float32", PEAKS) is None


def test_a_rate_above_the_peak_is_impossible() -> None:
    assert impossible_rate(124e9, "float32", PEAKS) is None
    reason = impossible_rate(126e9, "float32", PEAKS)
    assert reason == (
        "computed 126 GFLOP/s, but this machine's peak in float32 is 100: the timing or the count of FLOPs is wrong"
    )
    assert impossible_rate(126e9, "int8", PEAKS) is None
    assert impossible_rate(126e9, None, PEAKS) is None
    assert "any precision" in (impossible_rate(501e9, None, PEAKS) or "")
    assert impossible_rate(1e20, "float32", Peaks(1)) is None


def test_a_precision_other_than_declared_is_told() -> None:
    expected = "the technique declares int8 matrix products, but the engine runs float32"
    assert wrong_precision("int8", "float32") == expected
    assert wrong_precision("int8", "int8") is None
    assert wrong_precision(None, "float32") is None
    assert wrong_precision("int8", None) is None
