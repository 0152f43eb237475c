"""What the report says: the figures of Parquet, in the right order, with their problems named."""

from __future__ import annotations

import html
import io
import json
from pathlib import Path

import pytest
from plotly.graph_objects import Figure
from rich.console import Console

from runner.report.accuracy import accuracy_detail
from runner.report.charts.chart import log_axis
from runner.report.charts.front import front_charts
from runner.report.charts.latency import latency_chart
from runner.report.charts.memory import memory_chart
from runner.report.charts.rounds import rounds_chart
from runner.report.charts.speed import speedup_chart
from runner.report.columns import Cell
from runner.report.examples import prediction_groups
from runner.report.html import render_html
from runner.report.markdown import render_markdown
from runner.report.recordings import recordings
from runner.report.run import facts, notes
from runner.report.seed_study import COLUMNS, PUBLISHED, seed_studies
from runner.report.terminal import interim_summary, print_summary
from runner.report.view import failures, groups
from runner.results.collect import collect
from runner.results.format import (
    megabytes,
    milliseconds,
    of_baseline,
    pluralize,
    significant,
    speedup,
    speedup_interval,
)
from tests.results.synthetic import BASELINE, DEMO, Job, edit, trial_file, write_sweep


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.001234, "0.00123"), (0.9996, "1.00"), (12.345, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_three_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_units_and_the_direction_of_ratios() -> None:
    assert milliseconds(0.0123) == "12.3 ms"
    assert megabytes(23_000_000) == "23.0 MB"
    assert speedup(0.4) == "2.50×"
    assert speedup_interval(0.4, 0.5) == "2.00–2.50"
    assert speedup_interval(1e-11, 1e9) == "<0.0001–>10,000"
    assert of_baseline(0.25) == "×0.250"
    assert (milliseconds(None), speedup(None), of_baseline(None)) == ("–", "–", "")
    assert (pluralize(1, "thread"), pluralize(2, "thread")) == ("1 thread", "2 threads")


def test_a_group_is_sorted_fastest_first_and_shows_the_summary(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, rounds=6))
    (group,) = groups(tables)
    assert [v.verdict for v in group.variants].count("faster") == 2
    latencies = [v.row["latency_ratio"] for v in group.variants]
    assert latencies == sorted(latencies)
    best = group.variants[0]
    row = next(r for r in tables.summary.to_pylist() if r["technique"] == "onnx-int8")
    assert best.label == "onnx-int8"
    assert best.cells["Latency p50"].text == milliseconds(row["latency_p50_seconds"])
    assert best.cells["Speedup"].text == speedup(row["latency_ratio"])
    assert best.cells["Speedup"].note == speedup_interval(row["latency_ratio_low"], row["latency_ratio_high"])
    assert best.cells["±"].text == f"±{100 * row['latency_half_width']:.1f}%"
    assert best.cells["Changed"].text == str(row["changed_predictions"])
    assert group.lead.startswith(f"Fastest: onnx-int8, {speedup(row['latency_ratio'])}")


WITHIN = "within 1 point of the baseline's accuracy"
TEXTS = [f"text {number}" for number in range(800)]


def test_the_answer_names_the_fastest_and_the_fastest_certified_variant(tmp_path: Path) -> None:
    jobs = [BASELINE, Job("onnx-int8", 0.03, flips=0.5), Job("onnx", 0.05)]
    (group,) = groups(collect(write_sweep(tmp_path, jobs, texts=TEXTS)))
    assert [(what, variant.label) for what, variant in group.answers] == [
        ("Fastest", "onnx-int8"),
        (f"Fastest certified {WITHIN}", "onnx"),
        ("Baseline", "torch-eager"),
    ]
    assert group.shortfall == ""
    assert [variant.cells["Quality"].text for variant in group.variants] == ["worse", "equivalent", "–"]


def test_a_fastest_variant_that_is_certified_is_named_once(tmp_path: Path) -> None:
    (group,) = groups(collect(write_sweep(tmp_path, [BASELINE, Job("onnx", 0.05)], texts=TEXTS)))
    assert [what for what, _ in group.answers] == [f"Fastest, and certified {WITHIN}", "Baseline"]


def test_what_is_not_certified_yet_says_how_many_texts_would_decide(tmp_path: Path) -> None:
    (group,) = groups(collect(write_sweep(tmp_path, texts=TEXTS)))
    row = next(v.row for v in group.variants if v.label == "onnx")
    assert row["quality_texts_needed"] == 2135
    said = f"Not yet: no faster variant is certified {WITHIN}. For onnx, 2,200 texts would decide."
    assert group.shortfall == said
    cells = [v.cells["Quality"] for v in group.variants if v.label == "onnx"]
    assert [(cell.text, cell.note) for cell in cells] == [("undecided", "2,200")]
    assert group.lead.endswith(said)
    assert [what for what, _ in group.answers] == ["Fastest", "Baseline"]


def test_every_report_counts_the_verdicts_and_says_what_the_task_can_show(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, texts=TEXTS))
    (group,) = groups(tables)
    assert group.quality.startswith(
        "Quality (accuracy, margin 1 point): 1 equivalent, 2 worse, 1 undecided (95%, Holm)."
    )
    assert group.quality.endswith("and from 0.48 points where no prediction changes.")
    console = Console(file=io.StringIO(), width=200)
    print_summary(tables, console)
    console.file.seek(0)
    printed = console.file.read()
    for page in (printed, html.unescape(render_html(tables)), html.unescape(render_markdown(tables))):
        assert "1 equivalent, 2 worse, 1 undecided" in " ".join(page.split())
    assert "undecided" in next(line for line in printed.splitlines() if line.startswith("onnx "))
    (unlabelled,) = groups(collect(write_sweep(tmp_path / "unlabelled", labels=[])))
    assert (unlabelled.quality, "Quality" in unlabelled.variants[0].cells) == ("", False)
    assert [what for what, _ in unlabelled.answers] == ["Fastest", "Baseline"]


def test_accuracy_in_detail_has_both_p_values_adjusted(tmp_path: Path) -> None:
    (group,) = groups(collect(write_sweep(tmp_path, texts=TEXTS)))
    detail = accuracy_detail(group, [])
    assert detail is not None
    titles = [column.title for column in detail.columns]
    cells = next(dict(zip(titles, cells, strict=True)) for label, _, cells in detail.rows if label == "torchscript")
    assert cells["Δ accuracy"] == Cell("0.0", "−0.5 to +0.5")
    assert cells["p"] == Cell("1.000", "alone 1.000")
    assert cells["p of a loss"] == Cell("0.003", "alone <0.001")


def test_a_masked_variant_is_marked_and_only_its_compressed_files_are_smaller(tmp_path: Path) -> None:
    jobs = [BASELINE, Job("magnitude-70", 0.1, compressed_bytes=40_000_000, masked=True)]
    (group,) = groups(collect(write_sweep(tmp_path, jobs)))
    cells = {v.label: v.cells for v in group.variants}
    assert cells["magnitude-70"]["Disk"] == Cell("90.0 MB", "×1.00, masked")
    assert cells["magnitude-70"]["Compressed"] == Cell("40.0 MB", "×0.500")
    assert cells["torch-eager"]["Disk"] == Cell("90.0 MB", "×1.00")


def test_no_compressed_size_no_column(tmp_path: Path) -> None:
    (group,) = groups(collect(write_sweep(tmp_path, [Job("torch-eager", compressed_bytes=None)])))
    assert "Compressed" not in [column.title for column in group.columns]


@pytest.mark.parametrize("why", ["the baseline's box did not run beside them", "the partner's threads do not go idle"])
def test_a_group_without_turns_says_so(why: str, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, [Job("torch-eager", threads=2), Job("onnx", 0.05, threads=2)])
    (group,) = groups(collect(sweep))
    assert "No turns" not in group.noise
    for path in sweep.glob("trials/*/trial.json"):
        edit(path, partner_latency_seconds=None, no_turns=None if "beside" in why else why)
    (group,) = groups(collect(sweep))
    assert f"No turns ({why})" in group.noise


def test_other_threads_are_another_group_and_another_model_of_the_family_the_same(tmp_path: Path) -> None:
    jobs = [*DEMO, Job("torch-eager", 0.05, threads=2), Job("onnx", 0.04, threads=2), Job("onnx", 0.03, "minilm-l3")]
    one, two = groups(collect(write_sweep(tmp_path, jobs)))
    assert (one.title, two.title) == (
        "minilm-l6 on tweets, workload b1, 1 thread",
        "minilm-l6 on tweets, workload b1, 2 threads",
    )
    assert one.variants[0].label == "minilm-l3 · onnx"
    assert len(two.variants) == 2


def test_failed_and_missing_jobs_are_listed_and_come_last(tmp_path: Path) -> None:
    broken = Job("broken", failure=("oom", "killed at 4.0 GiB", (0, 1, 2)))
    flaky = Job("flaky", 0.05, failure=("timeout", "no answer in 600 s", (1,)))
    write_sweep(tmp_path, [BASELINE, broken, flaky, Job("gone")])
    for round_ in range(3):
        trial_file(tmp_path, Job("gone"), round_).unlink()
    tables = collect(tmp_path)
    assert [(f.label, f.problem, f.reason) for f in failures(tables)] == [
        ("minilm-l6 · broken · 1 thread", "oom in 3 of 3 trials", "killed at 4.0 GiB"),
        ("minilm-l6 · flaky · 1 thread", "timeout in 1 of 3 trials", "no answer in 600 s"),
        ("minilm-l6 · gone · 1 thread", "3 of 3 trials missing", ""),
    ]
    (group,) = groups(tables)
    assert [v.verdict for v in group.variants] == ["faster", "baseline", "failed", "not measured"]
    assert group.variants[0].problem == "timeout in 1 of 3 trials"
    assert any("3 planned trials left no file" in note for note in notes(tables))


def test_notes_say_what_limits_the_numbers(tmp_path: Path) -> None:
    said = " ".join(notes(collect(write_sweep(tmp_path, rounds=1, isolation="process", weights="random"))))
    assert "pinned processes (no engine answered): memory and network were not enclosed" in said
    assert "Random weights: minilm-l6" in said
    assert "One round only" in said
    (group,) = groups(collect(tmp_path))
    assert "not evaluated" in group.lead
    cells = group.variants[0].cells
    assert cells["Accuracy"] == cells["Changed"] == Cell("–", "random weights")
    assert "predictions changed" not in group.lead
    assert prediction_groups(collect(tmp_path)) == ([], 0)


def test_no_labels_is_a_reason(tmp_path: Path) -> None:
    (group,) = groups(collect(write_sweep(tmp_path, labels=[])))
    assert group.variants[0].cells["Accuracy"] == Cell("–", "no labels")


def test_without_labels_the_agreement_stands_beside_the_speed_on_a_terminal_too(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, labels=[]))
    row = next(r for r in tables.summary.to_pylist() if r["technique"] == "heads-50")
    console = Console(file=io.StringIO(), width=90)
    print_summary(tables, console)
    console.file.seek(0)
    printed = console.file.read()
    assert f"{row['agreement']:.1%}" in printed
    assert "Agreement" in printed
    (labelled,) = groups(collect(write_sweep(tmp_path / "labelled")))
    assert "Agreement" not in labelled.variants[0].cells


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_a_long_name_on_a_terminal_breaks_at_a_hyphen_and_no_figure_is_cut(width: int, tmp_path: Path) -> None:
    jobs = [*DEMO, Job("layers-half-tuned-onnx-int8", 0.03)]
    console = Console(file=io.StringIO(), width=width)
    print_summary(collect(write_sweep(tmp_path, jobs)), console)
    console.file.seek(0)
    lines = console.file.read().splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("layers-half-tuned-"))
    name = lines[place][:27].strip()
    assert name == "layers-half-tuned-onnx-int8" or lines[place + 1].startswith("onnx-int8 ")
    assert "…" not in "".join(lines)
    assert max(map(len, lines[:-1])) <= width


def test_what_a_terminal_leaves_out_is_counted(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=120)
    print_summary(collect(write_sweep(tmp_path, [BASELINE, *(Job(f"v{i}") for i in range(60))], rounds=1)), console)
    console.file.seek(0)
    assert "… and 1 slower variant more, in the report" in console.file.read()


def test_facts_name_box_image_and_machine(tmp_path: Path) -> None:
    said = dict(facts(collect(write_sweep(tmp_path))))
    assert said["Measured"] == "5 jobs, 18 trials planned, 18 ok"
    assert said["Rounds asked for"] == "3"
    assert said["Settings"] == "reruns 2, timed_seconds 1.0"
    assert said["Box"] == "docker, memory 4.0 GiB"
    assert said["Image"] == "1" * 12
    assert said["Machine"] == "Test CPU, 2 cores, 8.0 GiB"


def test_versions_are_those_of_the_boxes(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path)
    for trial in folder.glob("trials/*/trial.json"):
        engine = {"torch": "2.12.0-7-abc", "instruction_set": "avx2"}
        edit(trial, box_rest=json.dumps({"python": "3.11.2"}), box_engine=json.dumps(engine))
    assert dict(facts(collect(folder)))["Libraries"] == "Python 3.11.2, torch 2.12.0", "3.11.7 and 2.13.0 outside"


def test_charts_are_valid_and_hold_the_numbers_of_parquet(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path))
    (group,) = groups(tables)
    recorded = recordings(tables, [group])
    made = [speedup_chart(group), latency_chart(group, recorded), memory_chart(group, recorded)]
    charts = [chart for chart in [*made, rounds_chart(group, recorded), *front_charts(group)] if chart]
    assert len(charts) == 7
    for chart in charts:
        Figure(chart.figure)  # Plotly checks every key
        json.dumps(chart.figure, allow_nan=False)
    speedups, latencies, memory, rounds = (chart.figure["data"] for chart in charts[:4])
    rows = {row["technique"]: row for row in tables.summary.to_pylist()}
    for label, bar in zip(speedups[0]["y"], speedups[0]["x"], strict=True):
        assert bar == pytest.approx(1 / rows[label]["latency_ratio"])
    samples = tables.samples.read().to_pandas()
    calls = samples[samples["role"] != "partner"].groupby("job")["latency_seconds"]
    for box in latencies[:-1]:
        assert box["median"][0] == pytest.approx(1e3 * calls.median()[rows[box["name"]]["job"]])
    for line in memory:
        assert max(line["y"]) == pytest.approx(rows[line["name"]]["rss_peak_bytes"] / 1e6)
        assert sum(size > 0 for size in line["marker"]["size"]) == 5
    trials = tables.results.to_pandas().sort_values("round").groupby("technique")["latency_ratio"]
    for line in rounds:
        assert sorted(line["y"]) == pytest.approx(sorted(1 / trials.get_group(line["name"])))


def test_a_variant_hundreds_of_times_as_fast_does_not_flatten_the_others(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, [*DEMO, Job("static", 0.0002)]))
    chart = speedup_chart(groups(tables)[0])
    assert chart is not None
    assert chart.figure["layout"]["xaxis"]["type"] == "log"
    assert "logarithmic" in chart.figure["layout"]["xaxis"]["title"]["text"]


def test_ticks_of_a_logarithmic_axis_are_written_out() -> None:
    assert log_axis("ms", 0.3, 12)["ticktext"] == [
        "0.1",
        "0.2",
        "0.5",
        "1",
        "2",
        "5",
        "10",
        "20",
        "50",
        "100",
        "200",
        "500",
    ]
    assert log_axis("ms", 0.02, 900)["ticktext"] == ["0.01", "0.1", "1", "10", "100", "1,000"]
    assert log_axis("ms", 2, 12) == {"title": {"text": "ms"}}


def test_the_axis_of_accuracy_holds_its_whiskers(tmp_path: Path) -> None:
    jobs = [BASELINE, Job("onnx", 0.08, flips=0.1), Job("onnx-int8", 0.036, flips=0.1)]
    tables = collect(write_sweep(tmp_path, jobs, texts=[f"text {i}" for i in range(400)]))
    chart = front_charts(groups(tables)[0])[0]
    low, high = chart.figure["layout"]["yaxis"]["range"]
    traces = [trace for trace in chart.figure["data"] if "error_y" in trace]
    assert traces
    for trace in traces:
        whiskers = trace["error_y"]
        assert all(low < y - below for y, below in zip(trace["y"], whiskers["arrayminus"], strict=True))
        assert all(y + above < high for y, above in zip(trace["y"], whiskers["array"], strict=True))


def test_the_front_shows_every_variant_where_it_is(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path))
    rows = {row["technique"]: row for row in tables.summary.to_pylist()}
    (group,) = groups(tables)
    drawn = {chart.name: chart.figure["data"] for chart in front_charts(group)}
    baseline_ms = 1e3 * rows["torch-eager"]["latency_p50_seconds"]
    for name, column, unit in [
        ("score", "accuracy", 100),
        ("disk", "disk_bytes", 1e-6),
        ("memory", "rss_peak_bytes", 1e-6),
    ]:
        points = [
            point
            for trace in drawn[f"front-{name}"][1:-1]
            for point in zip(trace["hovertext"], trace["x"], trace["y"], strict=True)
        ]
        assert {label for label, *_ in points} == set(rows)
        ring = drawn[f"front-{name}"][-1]
        assert ring["text"] == ["torch-eager, the baseline"]
        assert ("torch-eager", *ring["x"], *ring["y"]) in points
        best = max(row[column] for row in rows.values())
        for label, x, y in points:
            assert x == pytest.approx(baseline_ms * rows[label]["latency_ratio"])
            cut = unit * best - 20 if name == "score" else 0.0
            assert y == pytest.approx(max(cut, unit * rows[label][column]))


def test_an_empty_sweep_has_no_groups_and_no_charts(tmp_path: Path) -> None:
    broken = Job("torch-eager", failure=("oom", "no", (0, 1, 2)))
    tables = collect(write_sweep(tmp_path / "failed", [broken]))
    (group,) = groups(tables)
    recorded = recordings(tables, [group])
    assert speedup_chart(group) is latency_chart(group, recorded) is memory_chart(group, recorded) is None
    assert (rounds_chart(group, recorded), front_charts(group)) == (None, [])
    assert groups(collect(write_sweep(tmp_path / "empty", []))) == []


def test_changes_that_moved_most_come_first(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, texts=[f"text {i}" for i in range(200)]))
    (prediction_group,), _ = prediction_groups(tables)
    heads = next(j for j in prediction_group.evaluated if j.label == "heads-50")
    frame = tables.predictions.read().to_pandas()
    frame = frame[(frame["technique"] == "heads-50") & (frame["prediction"] != frame["baseline_prediction"])]
    assert len(frame) == heads.row["changed_predictions"] > 10
    expected = frame.sort_values("total_variation", ascending=False)["example"].tolist()
    assert [example["example"] for example in heads.changed] == expected
    assert sum(map(sum, heads.matrix)) == 200


def test_the_seed_study_stands_beside_ours(tmp_path: Path) -> None:
    jobs = [Job(technique, 0.1 + 0.01 * i, model) for i, (model, technique) in enumerate(PUBLISHED)]
    options = {"task": "alice", "family": "roberta-base", "weights": "random", "labels": [], "batch_size": 4}
    tables = collect(write_sweep(tmp_path, jobs[:-1], name="seed", **options))
    (study,) = seed_studies(tables)
    assert len(study.rows) == 11
    rows = {(r["model"], r["technique"]): r for r in tables.summary.to_pylist()}
    own = rows["roberta-base", "onnx-int8"]
    int8 = dict(zip(COLUMNS, study.rows[2].pairs, strict=True))
    assert int8["Inference, s"] == ("3", significant(own["latency_mean_seconds"] * 16 / 4))
    assert int8["Peak RAM, GiB"] == ("0.9", significant(own["rss_peak_bytes"] / 2**30))
    assert int8["Disk, MB"] == ("125", "90.0")
    assert int8["Accuracy"] == ("0.69", "–")
    assert [ours for _, ours in study.rows[-1].pairs] == ["–"] * 6, "a row that ours lacks"
    assert seed_studies(collect(write_sweep(tmp_path / "demo"))) == []


def test_the_table_of_a_first_round_shows_what_was_measured_and_misses_nothing(tmp_path: Path) -> None:
    write_sweep(tmp_path)
    for path in tmp_path.glob("trials/*-r[12]-*/trial.json"):
        path.unlink()
    console = Console(file=io.StringIO(), width=100)
    console.print(interim_summary(collect(tmp_path), "After round 1 of 3", console.width))
    console.file.seek(0)
    printed = console.file.read()
    assert printed.startswith("After round 1 of 3")
    assert "onnx-int8" in printed
    assert "missing" not in printed
    assert "Baseline:" not in printed, "notes come with the last table"
