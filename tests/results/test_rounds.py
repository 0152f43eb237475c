"""Which rounds count, and when one more is needed."""

from __future__ import annotations

from typing import Any

import pytest

from runner.results.rounds import disturbance, evaluate, half_widths, included_rounds, needs_round

LIMITS = {
    "reference_ratio": 2.0,
    "steal_fraction": 0.1,
    "throttled_periods": 0.0,
    "unsettled_fraction": 0.1,
    "switches_per_second": 100.0,
    "waiting_fraction": 0.1,
}
MEASURE: dict[str, Any] = {"rounds": 3, "reruns": 2, "half_width": None, "max_rounds": 6}


def a_row(round_: int = 0, job: str = "variant", **changes: Any) -> dict[str, Any]:
    return {
        "job": job,
        "baseline_job": "baseline",
        "round": round_,
        "status": "ok",
        "threads": 1,
        "quota_cpus": None,
        "latency_p90_seconds": 0.11,
        "latency_p95_seconds": 0.12,
        "latency_p99_seconds": 0.15,
        "partner_p90_ratio": 1.0,
        "partner_p95_ratio": 1.0,
        "partner_p99_ratio": 1.0,
        "partner_engine_ratio": 1.0,
        "engine_p50_seconds": 0.09,
        "cpu": None,
        "elapsed_seconds": 1.0,
        "partner_seconds": 1.0,
        "cpu_seconds": None,
        "waiting_seconds": 0.08,
        "reference_seconds": 0.01,
        "steal_seconds": 0.0,
        "throttled_periods": 0,
        "involuntary_switches": 5,
        "turns": 10,
        "no_turns": None,
        "unsettled_turns": 0,
        "role": "variant",
        "partner_ratio": 1.0,
        "latency_p50_seconds": 0.1,
        "capacity_per_second": None,
    } | changes


def evaluated(rows: list[dict[str, Any]], wanted: int = 3) -> list[dict[str, Any]]:
    return [row | columns for row, columns in zip(rows, evaluate(rows, LIMITS, wanted), strict=True)]


@pytest.mark.parametrize(
    ("changes", "sign", "multiple"),
    [
        ({"reference_seconds": 0.03}, "reference_ratio", 1.5),
        ({"steal_seconds": 0.6}, "steal_fraction", 3.0),
        ({"throttled_periods": 1}, "throttled_periods", float("inf")),
        ({"unsettled_turns": 3}, "unsettled_fraction", 3.0),
        ({"involuntary_switches": 250}, "switches_per_second", 2.5),
        ({"waiting_seconds": 0.16}, "waiting_fraction", 1.6),
        ({"waiting_seconds": 0.3, "threads": 2}, "waiting_fraction", 1.5),
        ({"waiting_seconds": 0.3, "throttled_periods": 9, "quota_cpus": 0.5}, "reference_ratio", 0.5),
        ({"throttled_periods": 9, "quota_cpus": 2.0}, "throttled_periods", float("inf")),
        ({"waiting_seconds": 0.2, "involuntary_switches": 500, "cpu_seconds": 1.0}, "reference_ratio", 0.5),
        ({"waiting_seconds": 0.2, "involuntary_switches": 500, "cpu_seconds": 0.9}, "switches_per_second", 2.5),
        ({"waiting_seconds": 0.2, "cpu_seconds": 0.8}, "waiting_fraction", 2.0),
    ],
)
def test_the_worst_sign_is_named_as_a_multiple_of_its_limit(changes: Any, sign: str, multiple: float) -> None:
    found = disturbance(a_row(**changes), LIMITS, usual_reference_seconds=0.01)
    assert found == (pytest.approx(multiple), sign)


def test_a_sign_that_is_not_known_is_left_out() -> None:
    signs = ("reference_seconds", "steal_seconds", "throttled_periods", "unsettled_turns", "involuntary_switches")
    steady = disturbance(a_row(), LIMITS, usual_reference_seconds=0.01)
    unthrottled = disturbance(a_row(throttled_periods=None, steal_seconds=None), LIMITS, usual_reference_seconds=0.01)
    assert steady == unthrottled == (pytest.approx(0.8), "waiting_fraction")
    unknown = a_row(waiting_seconds=None, **dict.fromkeys(signs))
    assert disturbance(unknown, LIMITS, usual_reference_seconds=0.01) is None
    (found,) = evaluated([unknown])
    assert (found["disturbance"], found["disturbed_by"], found["included"]) == (None, None, True)


def test_one_disturbed_trial_discounts_the_whole_round_of_its_block_only() -> None:
    rows = [a_row(n, job) for n in range(4) for job in ("variant", "baseline")]
    rows[2] |= {"steal_seconds": 1.0}
    other = [a_row(n, "elsewhere", baseline_job="another") for n in range(4)]
    found = evaluated([*rows, *other])
    assert [row["included"] for row in found[:8]] == [True, True, False, False, True, True, True, True]
    assert all(row["included"] for row in found[8:])
    assert [row["disturbed_by"] for row in found[:4]] == [None, None, "steal_fraction", None]


def test_without_a_partner_latencies_are_compared_but_never_with_ratios() -> None:
    ends = [a_row(0, "baseline", role=f"baseline-{end}", partner_ratio=None) for end in ("first", "last")]
    ends[1] |= {"latency_p50_seconds": 0.4}
    found = evaluated([*ends, a_row(partner_ratio=None), a_row(job="paired")])
    assert found[2]["latency_ratio"] == pytest.approx(0.5)
    assert found[3]["latency_ratio"] is None


def test_a_variant_that_took_no_turns_is_compared_with_its_baselines_latencies() -> None:
    ends = [a_row(0, "baseline", role=f"baseline-{end}", partner_ratio=1.1) for end in ("first", "last")]
    found = evaluated(
        [*ends, a_row(partner_ratio=None, latency_p50_seconds=0.05, no_turns="never idle"), a_row(job="paired")]
    )
    assert found[2]["latency_ratio"] == pytest.approx(0.5)
    assert found[3]["latency_ratio"] == pytest.approx(1 / 1.1)


def test_latencies_have_no_say() -> None:
    rows = [a_row(n, partner_ratio=10.0**n) for n in range(4)]
    assert all(row["included"] for row in evaluated(rows))


def test_with_too_few_calm_rounds_the_least_disturbed_fill_up() -> None:
    assert included_rounds({0: 0.5, 1: 3.0, 2: 1.5, 3: 9.0}, wanted=3) == {0, 1, 2}
    assert included_rounds({0: 0.5, 1: 0.9, 2: 0.2, 3: 9.0}, wanted=2) == {0, 1, 2}


def test_a_disturbed_round_is_run_again_within_bounds() -> None:
    rows = [a_row(n) for n in range(3)]
    assert not needs_round(evaluated(rows), MEASURE)
    for number in range(3):
        rows[number] |= {"steal_seconds": 1.0}
    assert needs_round(evaluated(rows), MEASURE)
    rows += [a_row(n, steal_seconds=1.0) for n in (3, 4)]
    assert not needs_round(evaluated(rows), MEASURE), "reruns are bounded"


def test_failed_trials_ask_for_no_rerun() -> None:
    assert not needs_round(evaluated([a_row(n, status="oom") for n in range(3)]), MEASURE)


def test_rounds_go_on_until_every_interval_is_narrow() -> None:
    thorough = MEASURE | {"half_width": 0.02}
    baselines = [a_row(n, "baseline", role=f"baseline-{end}") for n in range(6) for end in ("first", "last")]
    narrow = [a_row(n, partner_ratio=ratio) for n, ratio in enumerate((1.0, 1.001, 1.002))]
    wide = [a_row(n, "other", partner_ratio=ratio) for n, ratio in enumerate((1.0, 1.1, 1.2))]
    assert not needs_round(evaluated(baselines[:6] + narrow), thorough)
    assert needs_round(evaluated(baselines[:6] + narrow + wide), thorough)
    assert max(half_widths(evaluated(baselines[:6] + narrow + wide))) > 0.1
    many = [a_row(n, partner_ratio=1 + n % 2) for n in range(6)]
    assert not needs_round(evaluated(baselines + many), thorough), "max_rounds is the end"
