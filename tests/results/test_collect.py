"""From synthetic sweep folders to tables: nothing planned gets lost, nothing is invented."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from runner.cli.pinbox import main
from runner.errors import UserError
from runner.report.examples import prediction_groups
from runner.results.collect import collect
from runner.results.schema import SCHEMAS
from runner.results.statistics import paired_log_ratio
from runner.results.summary import outcome
from runner.results.tables import LONG, Tables, read_tables, write_tables
from tests.results.synthetic import BASELINE, DEMO, Job, edit, trial_file, write_sweep

ONNX, INT8, TORCHSCRIPT, HEADS = DEMO[1:]


def summary(tables: Tables, job: Job) -> dict[str, Any]:
    return next(row for row in tables.summary.to_pylist() if row["job"] == job.key)


def test_every_trial_is_a_row_in_the_order_of_the_plan(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path))
    plan = json.loads((tmp_path / "plan.json").read_text())
    keys = ("job", "round", "position", "role")
    rows = [{key: row[key] for key in keys} for row in tables.results.to_pylist()]
    assert rows == [{key: trial[key] for key in keys} for trial in plan["trials"]]
    assert outcome(tables) == 0
    assert tables.manifest["labels"] == {"tweets": ["negative", "neutral", "positive"]}
    assert tables.manifest["warnings"] == []


def test_what_is_written_is_read_and_written_the_same_again(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path))
    read = read_tables(tmp_path)
    for name, schema in SCHEMAS.items():
        own, again = (table.read() if name in LONG else table for table in (tables.named()[name], read.named()[name]))
        assert again.equals(own)
        assert again.schema.equals(schema, check_metadata=True)
    assert read.manifest == tables.manifest
    before = {name: (tmp_path / f"{name}.parquet").read_bytes() for name in SCHEMAS}
    collect(tmp_path)
    assert before == {name: (tmp_path / f"{name}.parquet").read_bytes() for name in SCHEMAS}
    assert not list(tmp_path.glob(".*")), "temporary files were left behind"


def test_the_figures_of_a_trial(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path))
    trial = json.loads(trial_file(tmp_path, INT8, 1).read_text())
    row = next(r for r in tables.results.to_pylist() if r["job"] == INT8.key and r["round"] == 1)
    for key in set(trial) & set(row):
        assert row[key] == trial[key], key
    assert row["box_cpus"] == "1"
    assert row["box_engine_threads"] == 1
    assert row["box_instruction_sets"] == "avx2 avx512f"
    assert json.loads(row["box_rest"]) == {"uid": 1000}
    both = [r for r in tables.samples.read().to_pylist() if r["job"] == INT8.key and r["round"] == 1]
    calls, partner = ([r for r in both if r["role"] == role] for role in ("variant", "partner"))
    assert [r["latency_seconds"] for r in calls] == trial["samples"]["latency_seconds"]
    assert [r["latency_seconds"] for r in partner] == trial["partner_latency_seconds"]
    assert [r["call"] for r in calls] == [r["call"] for r in partner] == list(range(31))
    assert [r["turn"] for r in calls] == [r["turn"] for r in partner]
    turns: list[dict[int, list[float]]] = [{}, {}]
    for own, side in zip(turns, (calls, partner), strict=True):
        for call in side:
            own.setdefault(call["turn"], []).append(call["latency_seconds"])
    assert row["turns"] == len(turns[0])
    log_ratio = paired_log_ratio(*turns)
    assert log_ratio is not None
    assert row["partner_ratio"] == math.exp(log_ratio)  # to the bit
    memory = [r for r in tables.memory.read().to_pylist() if r["job"] == INT8.key and r["round"] == 1]
    assert [r["rss_bytes"] for r in memory] == trial["memory"]["rss_bytes"]


def test_the_engine_s_own_ratio_is_without_tokenizing(tmp_path: Path) -> None:
    """Three quarters of the variant's time is tokenizing, which the baseline does as slowly."""
    write_sweep(tmp_path, rounds=4)
    for round_ in range(4):
        calls = len(json.loads(trial_file(tmp_path, INT8, round_).read_text())["samples"]["latency_seconds"])
        samples = {"batch": [0] * calls, "turn": [0] * calls, "latency_seconds": [0.004] * calls}
        samples |= {"tokenize_seconds": [0.003] * calls}
        partner = {"partner_latency_seconds": [0.013] * calls, "partner_tokenize_seconds": [0.003] * calls}
        edit(trial_file(tmp_path, INT8, round_), samples=samples, **partner)
    tables = collect(tmp_path)
    trial = next(row for row in tables.results.to_pylist() if row["job"] == INT8.key)
    assert trial["partner_ratio"] == pytest.approx(4 / 13)
    assert trial["partner_engine_ratio"] == pytest.approx(1 / 10)
    row = summary(tables, INT8)
    assert row["engine_ratio"] == pytest.approx(0.1, rel=0.05)
    assert row["engine_ratio_low"] <= row["engine_ratio"] <= row["engine_ratio_high"]
    assert row["latency_ratio"] == pytest.approx(4 / 13, rel=0.05)


def test_a_trial_that_tokenizes_longer_than_it_takes_is_crashed(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    content = json.loads(trial_file(tmp_path, INT8, 0).read_text())["samples"]
    edit(trial_file(tmp_path, INT8, 0), samples=content | {"tokenize_seconds": content["latency_seconds"]})
    row = next(row for row in collect(tmp_path).results.to_pylist() if row["job"] == INT8.key)
    assert row["status"] == "crashed"
    assert "tokenizing took longer than the call" in row["error"]


def test_cold_starts_are_no_part_of_rounds_and_medians(tmp_path: Path) -> None:
    write_sweep(tmp_path, rounds=3)
    without = summary(collect(tmp_path), INT8)
    plan = json.loads((tmp_path / "plan.json").read_text())
    for round_, start_seconds in enumerate((2.0, 9.0, 4.0)):
        plan["trials"].append(
            {"job": INT8.key, "round": round_, "position": 99, "role": "cold-start", "baseline": BASELINE.key}
        )
        content = json.loads(trial_file(tmp_path, INT8, round_).read_text())
        cold = {"role": "cold-start", "start_seconds": start_seconds, "start_read_bytes": 7, "load_seconds": 50.0}
        path = trial_file(tmp_path, INT8, round_, "cold-start")
        path.parent.mkdir()
        path.write_text(json.dumps(content | cold | {"partner_latency_seconds": None, "position": 99}))
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    row = summary(collect(tmp_path), INT8)
    assert (row["cold_start_seconds"], row["cold_start_read_bytes"]) == (4.0, 7)
    assert (row["trials_ok"], row["trials_planned"], row["rounds_included"]) == (6, 6, 3)
    for name in ("latency_ratio", "latency_ratio_low", "noise_floor", "verdict", "load_seconds", "start_seconds"):
        assert row[name] == without[name], name


def test_ratios_verdicts_and_medians(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, rounds=6))
    int8 = summary(tables, INT8)
    assert int8["latency_ratio"] == pytest.approx(0.36, rel=0.03)
    assert int8["latency_ratio_low"] < int8["latency_ratio"] < int8["latency_ratio_high"]
    assert int8["verdict"] == "faster"
    assert int8["p_value"] <= int8["p_value_holm"] < 0.05
    assert int8["disk_ratio"] == pytest.approx(23 / 90)
    assert int8["load_ratio"] == pytest.approx(0.1)
    assert summary(tables, HEADS)["verdict"] == "slower"
    assert summary(tables, TORCHSCRIPT)["verdict"] == "tie"
    baseline = summary(tables, BASELINE)
    assert (baseline["latency_ratio"], baseline["latency_ratio_low"], baseline["verdict"]) == (1, None, None)
    assert 1 < baseline["noise_floor"] < 1.05
    medians = tables.results.to_pandas().groupby("job")["latency_p50_seconds"].median()
    assert int8["latency_p50_seconds"] == medians[INT8.key]


def test_missing_trials_are_counted_and_are_no_rows(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    trial_file(tmp_path, ONNX, 2).unlink()
    tables = collect(tmp_path)
    assert len(tables.results) == 17
    row = summary(tables, ONNX)
    assert (row["status"], row["trials_planned"], row["trials_ok"], row["trials_missing"]) == ("missing", 3, 2, 1)
    assert outcome(tables) == 1


@pytest.mark.parametrize(
    "text",
    ['{"status": "o', "", "[]", "null", '{"no": "status"}', '{"status": "fine"}', '{"status": "ok"}', "\ufffd{"],
)
def test_an_unreadable_trial_file_is_a_crashed_row(tmp_path: Path, text: str) -> None:
    trial_file(write_sweep(tmp_path), ONNX, 1).write_text(text)
    tables = collect(tmp_path)
    row = next(r for r in tables.results.to_pylist() if r["job"] == ONNX.key and r["round"] == 1)
    assert row["status"] == "crashed"
    assert row["technique"] == "onnx"
    assert "trial.json cannot be read" in row["error"]
    assert summary(tables, ONNX)["trials_crashed"] == 1
    assert outcome(tables) == 1


def test_bytes_that_are_no_text_and_wrong_types_are_crashed_rows(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    trial_file(tmp_path, ONNX, 0).write_bytes(b"\xff\xfe\x00")
    edit(trial_file(tmp_path, ONNX, 1), rss_peak_bytes="many")
    edit(trial_file(tmp_path, ONNX, 2), samples={"latency_seconds": [0.1, 0.2], "batch": [0]})
    row = summary(collect(tmp_path), ONNX)
    assert (row["status"], row["trials_crashed"], row["trials_ok"]) == ("crashed", 3, 0)
    assert row["latency_p50_seconds"] is None


def test_a_failed_job_is_a_row_with_its_first_error(tmp_path: Path) -> None:
    broken = Job("broken", failure=("oom", "killed at 4.0 GiB", (0, 1, 2)))
    flaky = Job("flaky", 0.05, failure=("timeout", "no answer in 600 s", (1,)))
    tables = collect(write_sweep(tmp_path, [BASELINE, broken, flaky]))
    row = summary(tables, broken)
    assert (row["status"], row["error"], row["trials_oom"]) == ("oom", "killed at 4.0 GiB", 3)
    assert row["latency_ratio"] is None
    assert row["verdict"] is None
    assert row["log"] == f"trials/{broken.key}-r0-variant/log.txt"
    row = summary(tables, flaky)
    assert (row["status"], row["trials_ok"], row["verdict"]) == ("timeout", 2, "faster")
    assert outcome(tables) == 1


def test_unfair_trials_are_kept_but_enter_no_median(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    edit(trial_file(tmp_path, ONNX, 0), status="unfair", error="two threads instead of one", latency_p50_seconds=9.0)
    tables = collect(tmp_path)
    assert summary(tables, ONNX)["latency_p50_seconds"] < 1
    assert summary(tables, ONNX)["trials_unfair"] == 1
    assert 9.0 in tables.results["latency_p50_seconds"].to_pylist()


def test_a_round_without_its_partner_has_no_ratio_and_the_others_stand(tmp_path: Path) -> None:
    write_sweep(tmp_path, rounds=4)
    edit(trial_file(tmp_path, INT8, 0), partner_latency_seconds=None)
    trial_file(tmp_path, BASELINE, 1, "baseline-last").unlink()  # the other one stands alone
    tables = collect(tmp_path)
    rows = [row for row in tables.results.to_pylist() if row["job"] == INT8.key]
    assert [row["partner_ratio"] is None for row in rows] == [True, False, False, False]
    assert [row["latency_ratio"] is None for row in rows] == [True, False, False, False]
    assert summary(tables, INT8)["latency_ratio"] == pytest.approx(0.36, rel=0.06)
    assert summary(tables, INT8)["trials_ok"] == 4


def test_the_partner_is_the_clock_and_the_two_baselines_are_what_is_compared_with(tmp_path: Path) -> None:
    write_sweep(tmp_path, noise=0.05)
    rows = [row for row in collect(tmp_path).results.to_pylist() if row["round"] == 1]
    by_role = {row["role"]: row["partner_ratio"] for row in rows}
    variant = next(row for row in rows if row["job"] == INT8.key)
    assert variant["latency_ratio"] == pytest.approx(
        variant["partner_ratio"] / (by_role["baseline-first"] * by_role["baseline-last"]) ** 0.5
    )


def test_a_disturbed_round_is_kept_and_does_not_count(tmp_path: Path) -> None:
    write_sweep(tmp_path, rounds=4)
    plan = json.loads((tmp_path / "plan.json").read_text())
    edit(tmp_path / "plan.json", measure=plan["measure"] | {"rounds": 3})
    edit(trial_file(tmp_path, HEADS, 1), steal_seconds=3.0)
    edit(trial_file(tmp_path, INT8, 1), latency_p50_seconds=9.0)
    tables = collect(tmp_path)
    rows = [row for row in tables.results.to_pylist() if row["round"] == 1]
    assert {row["job"]: row["disturbed_by"] for row in rows}[HEADS.key] == "steal_fraction"
    assert not any(row["included"] for row in rows)
    row = summary(tables, INT8)
    assert (row["rounds_run"], row["rounds_included"], row["trials_ok"]) == (4, 3, 4)
    assert row["latency_p50_seconds"] < 1


def test_without_any_baseline_nothing_is_judged(tmp_path: Path) -> None:
    failing = Job("torch-eager", failure=("crashed", "no", (0, 1, 2)))
    row = summary(collect(write_sweep(tmp_path, [failing, INT8])), INT8)
    assert row["latency_p50_seconds"] is not None
    assert row["latency_ratio"] is row["verdict"] is row["disk_ratio"] is None


def test_a_single_round_is_not_judged(tmp_path: Path) -> None:
    row = summary(collect(write_sweep(tmp_path, rounds=1)), INT8)
    assert row["latency_ratio"] == pytest.approx(0.36, rel=0.05)
    assert row["latency_ratio_low"] is row["p_value"] is row["verdict"] is None
    assert row["noise_floor"] is None


def test_accuracy_is_null_without_labels_and_for_random_weights(tmp_path: Path) -> None:
    trained = summary(collect(write_sweep(tmp_path / "a")), HEADS)
    assert trained["accuracy_low"] < trained["accuracy"] < trained["accuracy_high"]
    assert trained["examples"] == 60
    assert 0 < trained["changed_predictions"] < 60
    for options in ({"labels": []}, {"weights": "random"}):
        row = summary(collect(write_sweep(tmp_path / str(options), **options)), HEADS)
        assert row["accuracy"] is row["macro_f1"] is None
        assert row["changed_predictions"] > 0


def test_a_prediction_for_which_the_task_has_no_label_is_wrong(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path)
    for path in (sweep / "predictions").glob("*.json"):
        content = json.loads(path.read_text())
        truth = [min(label, 1) for label in content["label"]]
        edit(path, labels=["negative", "positive"], other_outputs=["neutral"], label=truth)
    tables = collect(sweep)
    frame = tables.predictions.read().to_pandas()
    own = frame[frame["job"] == HEADS.key]
    row = summary(tables, HEADS)
    assert (own["prediction"] == "neutral").any()
    assert row["accuracy"] == pytest.approx((own["prediction"] == own["label"]).mean())
    assert len(row["recall_changes"]) == 2
    assert row["kl_mean_nats"] > 0
    assert (tables.manifest["labels"], tables.manifest["other_outputs"]) == (
        {"tweets": ["negative", "positive"]},
        {"tweets": ["neutral"]},
    )
    evaluated = prediction_groups(tables)[0][0]
    assert evaluated.names == ["negative", "positive", "neutral"]
    assert [len(counts) for counts in evaluated.evaluated[0].matrix] == [3, 3, 3]
    assert evaluated.evaluated[0].matrix[2] == [0, 0, 0]


def test_predictions_stand_beside_the_baselines(tmp_path: Path) -> None:
    frame = collect(write_sweep(tmp_path)).predictions.read().to_pandas()
    own = frame[frame["job"] == HEADS.key].set_index("example")
    base = frame[frame["job"] == BASELINE.key].set_index("example")
    assert (own["baseline_prediction"] == base["prediction"]).all()
    assert (own["label"] == base["label"]).all()
    assert (base["total_variation"] == 0).all()
    assert own["total_variation"].between(0, 1).all()
    assert all(sum(p) == pytest.approx(1) for p in own["probabilities"])


def test_unreadable_predictions_and_unplanned_trials_are_said(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    (tmp_path / "predictions" / f"{ONNX.key}.json").write_text("{")
    edit(tmp_path / "predictions" / f"{INT8.key}.json", logits=[[float("nan")] * 3] * 60)
    extra = tmp_path / "trials" / "stray-r0-variant" / "trial.json"
    extra.parent.mkdir()
    extra.write_text("{}")
    tables = collect(tmp_path)
    assert [w.split()[0] for w in tables.manifest["warnings"]] == [
        f"predictions/{ONNX.key}.json",
        "trials/stray-r0-variant",
    ]
    shutil.copytree(extra.parent, extra.parent.with_name("stray-r1-variant"))
    assert any("2 trials, the first of them trials/stray-r0" in w for w in collect(tmp_path).manifest["warnings"])
    assert summary(tables, ONNX)["accuracy"] is None
    assert summary(tables, INT8)["accuracy"] == 0
    assert summary(tables, INT8)["changed_predictions"] == 60


@pytest.mark.parametrize(
    "content", ['{"texts": ["half a character: \\ud800"]}', "[" * 100_000, "[]"], ids=["half", "deep", "a list"]
)
def test_predictions_that_no_table_can_hold_are_said(content: str, tmp_path: Path) -> None:
    write_sweep(tmp_path)
    (tmp_path / "predictions" / f"{ONNX.key}.json").write_text(content)
    (warning,) = collect(tmp_path).manifest["warnings"]
    assert warning.startswith(f"predictions/{ONNX.key}.json cannot be read")


@pytest.mark.parametrize("changes", [{"labels": [[], "neutral", "positive"]}, {"jobs": [[]]}], ids=["label", "job"])
def test_predictions_with_names_that_are_no_text_are_said(changes: dict[str, Any], tmp_path: Path) -> None:
    write_sweep(tmp_path)
    edit(tmp_path / "predictions" / f"{ONNX.key}.json", **changes)
    (warning,) = collect(tmp_path).manifest["warnings"]
    assert "a name that is not a text" in warning


def test_predictions_with_several_labels_for_one_are_said(tmp_path: Path) -> None:
    path = write_sweep(tmp_path) / "predictions" / f"{ONNX.key}.json"
    edit(path, label=[[0, 1], *json.loads(path.read_text())["label"][1:]])
    (warning,) = collect(tmp_path).manifest["warnings"]
    assert "a text has a list of labels" in warning


def test_predictions_of_a_job_that_left_the_plan_do_no_harm(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text())
    kept = {name: [one for one in plan[name] if one["job"] != ONNX.key] for name in ("jobs", "trials")}
    edit(tmp_path / "plan.json", **kept)
    assert list(collect(tmp_path).manifest["labels"]) == ["tweets"]


def test_an_empty_sweep_and_one_that_never_began(tmp_path: Path) -> None:
    assert outcome(collect(write_sweep(tmp_path / "empty", []))) == 2
    planned = write_sweep(tmp_path / "planned")
    for file in planned.glob("trials/*/trial.json"):
        file.unlink()
    tables = collect(planned)
    assert len(tables.results) == 0
    assert len(tables.summary) == 5
    assert outcome(tables) == 2


@pytest.mark.parametrize("content", [None, "{", "[]", '{"schema": 9}'])
def test_without_a_plan_there_is_a_clear_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "plan.json").write_text(content)
    with pytest.raises(UserError, match=r"plan\.json"):
        collect(tmp_path)


def test_reading_needs_collected_tables_of_a_known_version(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"python -m runner\.results"):
        read_tables(tmp_path)
    tables = collect(write_sweep(tmp_path))
    newer = tables.summary.replace_schema_metadata({"pinbox.schema": "99"})
    write_tables(Tables(tmp_path, **{**tables.named(), "summary": newer}, manifest=tables.manifest))
    with pytest.raises(UserError, match="99"):
        read_tables(tmp_path)


def test_a_column_that_an_older_version_did_not_have_is_null(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path))
    older = tables.summary.drop_columns(["verdict"]).replace_schema_metadata({"pinbox.schema": "0"})
    write_tables(Tables(tmp_path, **{**tables.named(), "summary": older}, manifest=tables.manifest))
    assert set(read_tables(tmp_path).summary["verdict"].to_pylist()) == {None}


def test_every_column_is_described() -> None:
    for schema in SCHEMAS.values():
        assert all(field.metadata[b"description"] for field in schema)
        assert len(set(schema.names)) == len(schema.names)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["collect", str(tmp_path)]) == 2
    assert "plan.json does not exist" in capsys.readouterr().err
    write_sweep(tmp_path)
    assert main(["collect", str(tmp_path)]) == 0
    assert "results.parquet  18 rows" in capsys.readouterr().out


def test_a_stranger_s_warning_does_not_act_on_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (write_sweep(tmp_path) / "predictions" / "\x1b[2Jb.json").write_text("{")
    main(["collect", str(tmp_path)])
    said = capsys.readouterr().err
    assert "warning: predictions/ [2Jb.json cannot be read" in said
    assert "\x1b" not in said


def test_a_number_that_no_column_can_hold_is_a_crashed_trial(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, rounds=1)
    edit(trial_file(sweep, DEMO[1]), memory={"phase": ["load"], "seconds": [0.1], "rss_bytes": [10**40]})
    row = collect(sweep).results.to_pandas().query(f"job == '{DEMO[1].key}'").iloc[0]
    assert row.status == "crashed"
    assert "cannot be read: OverflowError" in row.error
