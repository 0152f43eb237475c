"""What several rounds at once cost, from made-up trials."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from runner.results.records.summary import SlotCost
from runner.results.rounds import evaluate, needs_round
from runner.results.schema import RESULTS
from runner.results.slots import cost_of_slots
from runner.results.summary import summarize
from tests.results.test_rounds import LIMITS, MEASURE, a_row, evaluated

ROUNDS = 4
COST = 1.06


def rounds(**changes: Any) -> list[dict[str, Any]]:
    """Return rounds of a baseline and a variant in two slots, and the pairs alone; slot 1's cores are twice as slow."""
    rows = []
    for number in range(ROUNDS):
        core = 0.1 * (1 + number % 2) * (1 + 0.001 * number)
        for role, job in (("baseline-first", "baseline"), ("variant", "variant"), ("baseline-last", "baseline")):
            rows.append(a_row(number, job, role=role, beside=1, slot=number % 2, latency_p50_seconds=core * COST))
        for role in ("alone-first", "alone-last"):
            rows.append(a_row(number, "baseline", role=role, beside=0, slot=number % 2, latency_p50_seconds=core))
    return [row | {"partner_ratio": None} | changes for row in rows]


def of_baseline(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in evaluated(rows, ROUNDS) if row["job"] == "baseline"]


def test_a_round_is_held_against_its_own_pair_alone() -> None:
    cost = cost_of_slots(of_baseline(rounds()))
    assert cost.beside_ratio == pytest.approx(COST)
    assert cost.beside_ratio_low == pytest.approx(COST), "slots of different speed do not widen it"
    assert cost.noise_floor_alone == pytest.approx(1)


def test_the_floor_alone_is_that_of_the_pairs_alone() -> None:
    rows = rounds()
    for number, row in enumerate(row for row in rows if row["role"] == "alone-last"):
        row["latency_p50_seconds"] *= math.exp(0.01 * (-1) ** number)
    floor = cost_of_slots(of_baseline(rows)).noise_floor_alone
    assert floor == pytest.approx(math.exp(3.182 * 0.01 * math.sqrt(4 / 3) / 2), rel=1e-4)


def test_what_ran_beside_nobody_or_was_disturbed_tells_no_cost() -> None:
    rows = rounds()
    for row in rows:
        if row["round"] == 0 and row["role"] == "baseline-last":
            row |= {"beside": 0, "latency_p50_seconds": 9.0}
        if row["round"] == 1 and row["role"] == "alone-last":
            row |= {"steal_seconds": 1.0, "latency_p50_seconds": 9.0}
    cost = cost_of_slots(of_baseline(rows))
    assert cost.beside_ratio == pytest.approx(COST)
    assert cost.noise_floor_alone == pytest.approx(1)


def test_without_slots_there_is_none() -> None:
    rows = [row for row in rounds(beside=None, slot=None) if "alone" not in row["role"]]
    assert cost_of_slots(of_baseline(rows)) == SlotCost()


def test_where_every_pair_alone_failed_it_is_not_known() -> None:
    rows = [row | ({"status": "oom"} if "alone" in row["role"] else {}) for row in rounds()]
    assert cost_of_slots(of_baseline(rows)) == SlotCost()


def test_pairs_alone_move_no_ratio_no_count_and_no_rerun() -> None:
    rows = rounds(steal_seconds=0.0)
    plain = [row for row in rows if "alone" not in row["role"]]
    for row in rows:
        if "alone" in row["role"]:
            row |= {"latency_p50_seconds": 5.0, "steal_seconds": 1.0 + row["round"]}
    columns = evaluate(rows, LIMITS, 2)  # fewer than there are, so that the disturbed would be left out
    kept = [one for row, one in zip(rows, columns, strict=True) if "alone" not in row["role"]]
    assert kept == evaluate(plain, LIMITS, 2)
    assert all(one["included"] for one in kept)
    alone = [one for row, one in zip(rows, columns, strict=True) if "alone" in row["role"]]
    assert {(one["latency_ratio"], one["included"]) for one in alone} == {(None, False)}
    assert not needs_round([row | one for row, one in zip(plain, kept, strict=True)], MEASURE | {"rounds": ROUNDS})


def test_the_summary_has_it_in_every_row_of_the_block_and_its_medians_are_of_rounds() -> None:
    jobs = [{"job": job, "baseline": "baseline", "threads": 1} for job in ("baseline", "variant")]
    rows = evaluated(rounds(), ROUNDS)
    empty = dict.fromkeys(RESULTS.names)
    results = pa.Table.from_pylist([empty | row for row in rows], schema=RESULTS)
    table = summarize(jobs, {"baseline": 4 * ROUNDS, "variant": ROUNDS}, results, [], 0.01).to_pylist()
    assert [row["beside_ratio"] for row in table] == [pytest.approx(COST)] * 2
    assert [row["trials_ok"] for row in table] == [4 * ROUNDS, ROUNDS]
    assert [row["rounds_included"] for row in table] == [ROUNDS, ROUNDS]
    assert table[0]["latency_p50_seconds"] == table[1]["latency_p50_seconds"] > 0.1 * COST
