"""What a sweep says of capacities: ratios to the baselines of the round, verdicts, and every probe."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from runner.results.collect import collect
from runner.results.rounds import evaluate
from runner.results.statistics import estimate_ratio
from runner.results.tables import Tables, read_tables
from tests.results.synthetic import LIMITS, Job, edit, trial_file, write_sweep
from tests.results.test_rounds import a_row

BASELINE = Job("torch-eager", 0.1, capacity_per_second=50.0)
CLONE = Job("clone", 0.1, capacity_per_second=50.0)
FASTER = Job("onnx-int8", 0.036, capacity_per_second=150.0)
SLOWER = Job("more-work", 0.12, capacity_per_second=41.0)
NONE = Job("too-slow", 0.2, capacity_per_second=0.0)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    folder = write_sweep(tmp_path_factory.mktemp("open"), [BASELINE, CLONE, FASTER, SLOWER, NONE], rounds=5)
    collect(folder)
    return read_tables(folder)


def row(tables: Tables, job: Job) -> dict[str, Any]:
    return next(row for row in tables.jobs if row["job"] == job.key)


def test_a_ratio_is_to_the_geometric_mean_of_the_round_s_baselines() -> None:
    capacities = {"baseline-first": 40.0, "variant": 120.0, "baseline-last": 90.0}
    rows = [
        a_row(job="v" if role == "variant" else "baseline", role=role, capacity_per_second=capacity)
        for role, capacity in capacities.items()
    ]
    ratios = [columns["capacity_ratio"] for columns in evaluate(rows, LIMITS, 1)]
    assert ratios == pytest.approx([2 / 3, 2, 1.5])


@pytest.mark.parametrize("change", [{"capacity_per_second": 0.0}, {"capacity_per_second": None}, {"status": "crashed"}])
def test_without_a_capacity_there_is_no_ratio(change: dict[str, Any]) -> None:
    ends = [a_row(job="baseline", role=f"baseline-{end}", capacity_per_second=50.0) for end in ("first", "last")]
    evaluated = evaluate([*ends, a_row(capacity_per_second=50.0) | change], LIMITS, 1)
    assert [columns["capacity_ratio"] for columns in evaluated] == [pytest.approx(1), pytest.approx(1), None]


def test_the_summary_compares_capacities_with_the_baseline(tables: Tables) -> None:
    faster, slower, clone = (row(tables, job) for job in (FASTER, SLOWER, CLONE))
    assert (faster["capacity_verdict"], slower["capacity_verdict"], clone["capacity_verdict"]) == (
        *("higher", "lower", "tie"),
    )
    assert faster["capacity_per_second"] == pytest.approx(150, rel=0.03)
    assert faster["capacity_ratio"] == pytest.approx(3, rel=0.03)
    assert faster["capacity_ratio_low"] < faster["capacity_ratio"] < faster["capacity_ratio_high"]
    assert slower["capacity_ratio"] == pytest.approx(0.82, rel=0.03)
    assert faster["capacity_p_value"] <= faster["capacity_p_value_holm"] < 0.05
    assert 1 < faster["capacity_noise_floor"] < 1.05
    assert (faster["load"], faster["slo_percentile"], faster["slo_seconds"]) == ("open", 99, 0.05)


def test_a_baseline_is_compared_with_itself_and_has_no_verdict(tables: Tables) -> None:
    baseline = row(tables, BASELINE)
    assert (baseline["capacity_ratio"], baseline["capacity_ratio_low"], baseline["capacity_verdict"]) == (1, None, None)


def test_a_service_that_holds_no_rate_has_a_reason_and_no_ratio(tables: Tables) -> None:
    none = row(tables, NONE)
    assert (none["capacity_per_second"], none["capacity_ratio"], none["capacity_verdict"]) == (0, None, None)
    assert none["capacity_reason"] == "no rate keeps the objective"
    assert none["status"] == "ok"


def test_every_probe_is_a_row(tables: Tables) -> None:
    probes = tables.load.read(jobs=[FASTER.key]).to_pylist()
    assert len(probes) == 5 * 4
    assert [probe["round"] for probe in probes[::4]] == [*range(5)]
    assert {probe["role"] for probe in probes} == {"variant"}
    assert [(p["scenario"], p["asked_per_second"], p["holds"]) for p in probes[:4]] == [
        ("offline", None, None),
        ("server", pytest.approx(120), True),
        ("server", 150, True),
        ("server", pytest.approx(165), False),
    ]


def test_a_closed_load_has_no_probes_and_null_columns(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, rounds=1))
    assert len(tables.load) == 0
    open_only = [name for name in tables.summary.column_names if "capacity" in name or name.startswith("slo_")]
    assert len(open_only) == 11
    for name in (*open_only, "load", "workers", "max_batch_size", "max_wait_seconds", "offline_per_second"):
        assert tables.summary[name].null_count == len(tables.jobs), name


def test_identical_services_are_seldom_said_to_differ() -> None:
    """Of 300 sweeps of clones, whose capacities scatter by 4%, about 5% have an interval without 1."""
    chance, wrong, sweeps, rounds = random.Random(3), 0, 300, 4
    for _ in range(sweeps):
        rows = [
            a_row(number, job, role=role, capacity_per_second=100 * (1 + 0.04 * chance.gauss(0, 1)))
            for number in range(rounds)
            for job, role in (("baseline", "baseline-first"), ("variant", "variant"), ("baseline", "baseline-last"))
        ]
        ratios = [columns["capacity_ratio"] for columns in evaluate(rows, LIMITS, rounds)[1::3]]
        estimate = estimate_ratio([math.log(ratio) for ratio in ratios])
        wrong += not estimate.low < 1 < estimate.high
    assert 0.02 < wrong / sweeps < 0.09


def test_a_trial_that_lost_its_service_leaves_the_others(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path, [BASELINE, FASTER], rounds=3)
    edit(trial_file(folder, FASTER, 1), status="crashed", error="the service ended", capacity_per_second=None)
    faster = row(collect(folder), FASTER)
    assert (faster["status"], faster["error"], faster["trials_ok"]) == ("crashed", "the service ended", 2)
    assert faster["capacity_ratio"] == pytest.approx(3, rel=0.05)
