"""What the report says of noise, of disturbed rounds, of where the time goes, of the peak and of threads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from plotly.graph_objects import Figure

from runner.report.charts.scaling import scaling_chart
from runner.report.columns import Cell
from runner.report.noise import floor_sentence, raw_times_sentence, rounds_sentence, slots_sentence
from runner.report.recordings import ok_trials
from runner.report.threads import scalings
from runner.report.trial_time import PARTS, trial_time
from runner.report.view import Group, groups
from runner.results.collect import collect
from runner.results.records.summary import JobSummary
from runner.results.scaling import thread_scaling
from runner.results.schema import SUMMARY
from runner.results.tables import Tables
from tests.results.synthetic import BASELINE, DEMO, Job, edit, trial_file, write_sweep


def _trial(round_: int, counted: bool = True, disturbance: float = 0.5, by: str | None = None) -> dict[str, Any]:
    return {"round": round_, "role": "variant", "included": counted, "disturbance": disturbance, "disturbed_by": by}


def test_the_noise_floor_is_said_in_words() -> None:
    assert floor_sentence([{"noise_floor": None}, {"noise_floor": 1.012}]).startswith("Noise floor 1.2%: identical")
    assert floor_sentence([{"noise_floor": None}]) == ""


def test_raw_times_that_disagree_with_speedups_are_explained() -> None:
    baseline = {"job": "a", "baseline_job": "a", "latency_p50_seconds": 1.58e-3, "latency_ratio": 1.0}
    slower_but_faster = baseline | {"job": "b", "latency_p50_seconds": 1.79e-3, "latency_ratio": 1 / 1.14}
    assert "go by the speedup" in raw_times_sentence([baseline, slower_but_faster])
    assert raw_times_sentence([baseline, slower_but_faster | {"latency_ratio": 1.13}]) == ""
    failed = dict.fromkeys(baseline) | {"job": "c", "baseline_job": "a"}
    assert raw_times_sentence([baseline, failed]) == raw_times_sentence([failed]) == ""


def test_what_rounds_at_once_cost_is_said_in_words() -> None:
    trials = [{"beside": None}, {"beside": 0}, {"beside": 1}]
    row = {"noise_floor_alone": 1.031, "noise_floor": 1.04, "beside_ratio": 1.06}
    row |= {"beside_ratio_low": 0.99, "beside_ratio_high": 1.13}
    assert slots_sentence([row], trials) == (
        "2 boxes at once: noise floor 3.1% alone, 4.0% beside others; the baseline's calls are 6.0% slower beside "
        "others than alone (−1.0% to +13.0%)."
    )
    one_round = row | {"beside_ratio": 0.98, "beside_ratio_low": None, "beside_ratio_high": None, "noise_floor": None}
    assert "not known beside others; the baseline's calls are 2.0% faster beside others than alone." in slots_sentence(
        [one_round], trials
    )
    assert "what that costs is not known" in slots_sentence([{"beside_ratio": None}], trials)
    assert slots_sentence([row], trials[:1]) == ""


def test_quiet_rounds_need_few_words() -> None:
    assert rounds_sentence([_trial(r) for r in (0, 0, 1, 1, 2)]) == "3 rounds, all included."
    assert rounds_sentence([]) == rounds_sentence([_trial(0) | {"included": None}]) == ""


def test_pairs_alone_are_no_rounds_that_were_left_out() -> None:
    alone = [_trial(r, False) | {"role": "alone-first"} for r in (0, 1, 2)]
    assert rounds_sentence([_trial(r) for r in (0, 1)] + alone) == "2 rounds, all included."


def test_rounds_that_were_run_again_are_named_with_their_worst_sign() -> None:
    calm = [_trial(r) for r in range(8)]
    trials = [
        *calm,
        _trial(8, False, 3.0, "steal_fraction"),
        _trial(8, False, 1.2, "waiting_fraction"),
        _trial(8, False, 0.1),
        _trial(9, False, 2.0, "steal_fraction"),
    ]
    said = rounds_sentence(trials)
    assert said.startswith("8 of 10 rounds included; 2 were left out and rerun because")
    assert said.endswith(": the hypervisor took time away (2×).")


def test_disturbed_rounds_that_count_for_want_of_better_ones_are_named() -> None:
    said = rounds_sentence(
        [_trial(0), _trial(1, True, 1.5, "throttled_periods"), _trial(2, True, 2, "waiting_fraction")]
    )
    assert "3 rounds, all included. Too few rounds were undisturbed, so 2 of those included were disturbed, too" in said
    assert "the box was throttled (1×), calls waited for the CPU (1×)" in said


def test_a_group_says_what_was_disturbed(tmp_path: Path) -> None:
    write_sweep(tmp_path, rounds=4)
    edit(tmp_path / "plan.json", measure=json.loads((tmp_path / "plan.json").read_text())["measure"] | {"rounds": 3})
    edit(trial_file(tmp_path, DEMO[1], 2), steal_seconds=60.0)
    (group,) = groups(collect(tmp_path))
    assert "Noise floor" in group.noise
    assert "3 of 4 rounds included" in group.noise
    assert "the hypervisor took time away (1×)" in group.noise


def test_where_the_time_goes_adds_up(tmp_path: Path) -> None:
    write_sweep(tmp_path, noise=0.0)
    baseline = trial_file(tmp_path, BASELINE, 0, "baseline-first")
    edit(baseline, partner_start_seconds=3.0, wall_seconds=8.0)
    tables = collect(tmp_path)
    (group,) = groups(tables)
    spent = trial_time(group, ok_trials(tables))
    assert spent is not None
    rows = {label: dict(zip(PARTS, values, strict=True)) for label, values in spent.rows}
    content = json.loads(trial_file(tmp_path, DEMO[1]).read_text())
    onnx = rows["onnx"]
    assert onnx["Timed turns"] == content["elapsed_seconds"]
    assert onnx["Partner's turns"] == content["partner_seconds"]
    assert onnx["Partner's start"] == pytest.approx(3 / 18), "one start, 18 trials"
    assert onnx["Outside"] == pytest.approx(5 - onnx["Timed turns"] - onnx["Partner's turns"] + 3 / 18)
    assert onnx["Box"] == pytest.approx(0.5)
    for row in rows.values():
        values = list(row.values())
        assert values[0] == pytest.approx(sum(values[1:4]))
        assert values[3] == pytest.approx(sum(values[4:]))
    assert spent.texts()[0][1][0] == "5.17"


def test_without_the_times_there_is_no_table(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, [Job("torch-eager", failure=("oom", "no", (0, 1, 2)))]))
    assert trial_time(groups(tables)[0], ok_trials(tables)) is None


def _cells(group: Group, label: str) -> dict[str, Cell]:
    variant = next(v for v in group.variants if v.label == label)
    return variant.cells


def test_peak_precision_and_energy_are_shown_where_known(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    assert {"Of peak", "Energy"}.isdisjoint(_cells(groups(collect(tmp_path))[0], "onnx"))
    figures = {"peak_fraction": 0.42, "flops_per_second": 40e9, "padded_flops_per_second": 42e9}
    for round_ in range(3):
        edit(trial_file(tmp_path, DEMO[1], round_), **figures, precision="float32", energy_joules_per_call=0.25)
    (group,) = groups(collect(tmp_path))
    hint = "40.0 GFLOP/s on useful tokens, 42.0 GFLOP/s with the padding"
    assert _cells(group, "onnx")["Of peak"] == Cell("42.0%", "float32", hint)
    assert _cells(group, "onnx")["Energy"] == Cell("0.250 J")
    assert _cells(group, "heads-50")["Of peak"] == Cell("–")


def _scaled(tables: Tables) -> Tables:
    rows, trials = tables.summary.to_pylist(), tables.results.to_pylist()
    by_job = {row["job"]: [trial for trial in trials if trial["job"] == row["job"]] for row in rows}
    scaled = thread_scaling([JobSummary(**row) for row in rows], by_job)
    changed = [row | (vars(scaled[row["job"]]) if row["job"] in scaled else {}) for row in rows]
    return replace(tables, summary=pa.Table.from_pylist(changed, schema=SUMMARY))


def test_thread_scaling_by_technique(tmp_path: Path) -> None:
    jobs = [BASELINE, Job("onnx", 0.08), Job("torch-eager", 0.06, threads=2), Job("onnx", 0.04, threads=2)]
    (scaling,) = scalings(_scaled(collect(write_sweep(tmp_path, jobs, noise=0.0))))
    assert (scaling.title, scaling.threads) == ("minilm-l6 on tweets, workload b1", [2])
    assert dict(scaling.cells()) == {
        "torch-eager": [Cell("1.67×", "1.67–1.67, efficiency 83.3%")],
        "onnx": [Cell("2.00×", "2.00–2.00, efficiency 100.0%")],
    }
    assert scaling_chart(scaling) is None


def test_several_numbers_of_threads_make_a_chart(tmp_path: Path) -> None:
    jobs = [Job("onnx", 0.1 / threads, threads=threads) for threads in (1, 2, 4)]
    (scaling,) = scalings(_scaled(collect(write_sweep(tmp_path, jobs, noise=0.0))))
    chart = scaling_chart(scaling)
    assert chart is not None
    Figure(chart)
    assert chart["data"][0]["x"] == [1, 2, 4]
    assert chart["data"][0]["y"] == pytest.approx([1, 2, 4])


def test_one_number_of_threads_is_no_scaling(tmp_path: Path) -> None:
    assert scalings(_scaled(collect(write_sweep(tmp_path)))) == []
