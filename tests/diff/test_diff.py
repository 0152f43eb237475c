"""What counts as really different, on made-up sweeps."""

from __future__ import annotations

import random
from dataclasses import replace

import pyarrow as pa
import pytest

from runner.diff.change import TIME_FLOOR
from runner.diff.compare import Diff, diff, exit_code
from runner.diff.measures import MACHINE
from runner.diff.messages import notes
from runner.results.tables import Tables
from tests.diff.sweeps import BASELINE, JOBS, TEXTS, Job, sweep

TORCH, ONNX, INT8 = JOBS
#: Standard deviations of what a machine does to the figures of all jobs alike, on the log scale.
SHIFTS = {"machine": 0.1, "page_cache": 0.05, "memory_shift": 0.03, "load_shift": 0.2}


def _real(found: Diff) -> dict[str, dict[str, str]]:
    """Return the direction of every real change, by technique and measure."""
    return {
        one.pair.b.row["technique"]: {change.measure.name: change.direction for change in one.real}
        for one in found.real
    }


def test_a_sweep_does_not_differ_from_itself_nor_from_another_run_of_it() -> None:
    for seed in (0, 1):
        found = diff(sweep(), sweep(seed=seed))
        assert exit_code(found) == 0
        assert len(found.compared) == 3
        assert found.environment == []


def test_changed_threads_are_real_and_named() -> None:
    found = diff(sweep(), sweep([TORCH, ONNX, replace(INT8, threads=2), replace(TORCH, threads=2)], seed=1))
    assert exit_code(found) == 1
    (one,) = found.real
    assert one.pair.b.row["technique"] == "onnx-int8"
    assert one.real[0].note == "threads 1 → 2"
    assert [side.row["job"] for side in found.only_b] == ["m_torch-eager_t2"]


def test_another_key_without_a_recorded_setting_is_the_same_job() -> None:
    renamed = [replace(job, setting="-f00") for job in JOBS]
    found = diff(sweep(), sweep(renamed, seed=1))
    assert exit_code(found) == 0
    assert len(found.compared) == 3


def test_each_measure_is_found() -> None:
    after = [
        TORCH,
        replace(ONNX, latency_ratio=0.66, rss_bytes=3.6e8, load_seconds=2.0),
        replace(INT8, disk_bytes=24_000_000, wrong=90),
    ]
    assert _real(diff(sweep(), sweep(after, seed=1))) == {
        "onnx": {"latency_ratio": "slower", "memory": "smaller", "load": "slower"},
        "onnx-int8": {"disk": "larger", "score": "lower-score", "predictions": "predictions"},
    }


def test_one_changed_prediction_is_real_on_the_same_cpu_only() -> None:
    after = [TORCH, ONNX, replace(INT8, wrong=INT8.wrong + 1)]
    assert _real(diff(sweep(), sweep(after))) == {"onnx-int8": {"predictions": "predictions"}}
    assert exit_code(diff(sweep(), sweep(after, cpu_model="Other CPU"))) == 0


def test_another_verdict_on_the_quality_is_a_note() -> None:
    before, after = (_with_verdicts(sweep(), verdict) for verdict in ("equivalent", "undecided"))
    (note,) = [line for line in notes(diff(before, after)) if "quality" in line]
    assert note == "onnx · 1 thread: its quality against the baseline was equivalent in A and is undecided in B."
    assert not [line for line in notes(diff(before, before)) if "quality" in line]


def _with_verdicts(tables: Tables, verdict: str) -> Tables:
    """Return a sweep whose second job has a verdict on its quality."""
    place = tables.summary.schema.get_field_index("quality_verdict")
    verdicts = pa.array([None, verdict, None], pa.string())
    return replace(tables, summary=tables.summary.set_column(place, "quality_verdict", verdicts))


def test_another_cpu_is_said_first_and_no_times_are_judged() -> None:
    slow = [replace(job, load_seconds=9.0) for job in JOBS]
    found = diff(sweep(), sweep(slow, seed=1, machine=5.0, cpu_model="Other CPU"))
    assert "Test CPU → Other CPU" in found.warnings[0]
    assert found.environment[0].name == "CPU model"
    assert exit_code(found) == 0
    slower = [TORCH, replace(ONNX, latency_ratio=0.7), INT8]
    assert _real(diff(sweep(), sweep(slower, cpu_model="Other CPU"))) == {"onnx": {"latency_ratio": "slower"}}


def test_a_slow_machine_is_not_a_slow_job() -> None:
    assert exit_code(diff(sweep(), sweep(seed=1, machine=1.8))) == 0


def test_a_baseline_is_judged_where_its_software_may_be_what_changed() -> None:
    """The reference kernel says that the machine is as fast as before."""
    heavier = replace(TORCH, latency_ratio=2 * TIME_FLOOR, rss_bytes=1.03 * TORCH.rss_bytes)
    expected = {"latency": "slower", "memory": "larger", "first_call": "slower"}
    for other in ({"code_version": "b"}, {"lock_sha256": "b"}, {"base_id": "b"}, {"versions": {"torch": "2.14.0"}}):
        assert _real(diff(sweep([TORCH]), sweep([heavier], seed=1, **other)))["torch-eager"] == expected
    other_artifact = replace(heavier, wrong=TORCH.wrong + 1)
    assert _real(diff(sweep([TORCH]), sweep([other_artifact], seed=1)))["torch-eager"].items() >= expected.items()


def test_what_shifts_a_baseline_of_the_same_software_is_the_machine() -> None:
    for image in ({}, {"image_id": "sha256:2", "base_id": "sha256:base"}):  # built anew: another id
        around = {"base_id": "sha256:base"} if image else {}
        shifted = sweep(seed=1, memory_shift=1.04, load_shift=1.4, machine=1.6, **around | image)
        found = diff(sweep(**around), shifted)
        assert _real(found) == {}
        (note,) = [text for text in notes(found) if text.startswith("The machine's own shift")]
        assert "own memory +4" in note
        memory = found.compared[0].change("memory")
        assert memory is not None
        assert memory.not_evaluated == MACHINE


def test_a_job_is_larger_on_top_of_what_the_machine_does_to_all() -> None:
    heavier = [TORCH, replace(ONNX, rss_bytes=1.03 * ONNX.rss_bytes), INT8]
    for shift in (0.96, 1.0, 1.04):
        found = diff(sweep(), sweep(heavier, seed=1, memory_shift=shift, load_shift=1.2))
        real = _real(found)
        assert real == ({"onnx": {"memory": "larger"}} if shift >= 1 else {})  # below: it may have shared less of it
        assert exit_code(found) == (1 if real else 0)


def test_a_job_that_shares_none_of_the_machine_s_shift_is_not_a_change() -> None:
    """Such as an engine that maps other libraries than the baseline's."""
    steady = [TORCH, replace(ONNX, rss_bytes=ONNX.rss_bytes / 1.04, load_seconds=ONNX.load_seconds / 1.5), INT8]
    assert _real(diff(sweep(), sweep(steady, seed=1, memory_shift=1.04, load_shift=1.5))) == {}


def test_file_pages_are_not_the_process_s_own_memory() -> None:
    assert _real(diff(sweep(), sweep(seed=1, page_cache=1.3))) == {}


def test_a_job_that_no_longer_runs_is_real_whatever_is_asked() -> None:
    found = diff(sweep(), sweep([TORCH, ONNX, replace(INT8, failure="oom")]))
    assert found.real[0].real[0].note == "ok → oom"
    assert exit_code(found, "slower") == 1


@pytest.mark.parametrize(
    ("word", "codes"), [("any", (1, 1, 1)), ("slower", (1, 0, 0)), ("larger", (0, 1, 0)), ("lower-score", (0, 0, 1))]
)
def test_fail_on(word: str, codes: tuple[int, ...]) -> None:
    changed = (replace(ONNX, latency_ratio=0.7), replace(ONNX, disk_bytes=91_000_000), replace(ONNX, wrong=80))
    assert tuple(exit_code(diff(sweep(), sweep([TORCH, job, INT8])), word) for job in changed) == codes
    better = replace(ONNX, latency_ratio=0.5, disk_bytes=1_000_000, wrong=10)
    assert exit_code(diff(sweep(), sweep([TORCH, better, INT8])), word) == (word == "any")


def test_jobs_on_one_side_only_are_listed_and_harmless() -> None:
    found = diff(sweep([*JOBS, Job("pruned")]), sweep([*JOBS, Job("distilled")]))
    assert [side.row["technique"] for side in found.only_a] == ["pruned"]
    assert [side.row["technique"] for side in found.only_b] == ["distilled"]
    assert exit_code(found) == 0


def test_what_cannot_be_compared() -> None:
    assert exit_code(diff(sweep([BASELINE]), sweep([Job("onnx")]))) == 2
    boxes = diff(sweep(), sweep(isolation="process"))
    assert exit_code(boxes) == 2
    assert "docker → process" in boxes.warnings[0]
    texts = diff(sweep(), sweep(texts=[*TEXTS[:-1], "another"]))
    assert len(texts.other_inputs) == 3
    assert exit_code(texts) == 2


def test_without_labels_or_with_one_round_what_is_left_is_compared() -> None:
    found = diff(sweep(labelled=False, rounds=1), sweep(labelled=False, rounds=1, seed=1))
    assert exit_code(found) == 0
    assert found.compared[1].change("score") is None
    ratio = found.compared[1].change("latency_ratio")
    assert ratio is not None
    assert "two rounds" in ratio.not_evaluated


@pytest.mark.slow
def test_identical_sweeps_of_a_noisy_machine_hardly_ever_differ() -> None:
    """Whatever the machine does to all jobs alike, and a little to each of its own."""
    chance, alarms = random.Random(0), 0

    def measured(seed: int) -> Tables:
        jobs = [BASELINE, *(Job(f"v{i}") for i in range(4))]
        own = [replace(job, rss_bytes=job.rss_bytes * chance.lognormvariate(0, 0.003)) for job in jobs]
        around = {name: chance.lognormvariate(0, sd) for name, sd in SHIFTS.items()}
        return sweep(own, seed=seed, texts=TEXTS[:20], **around)

    for seed in range(60):
        a, b = measured(2 * seed), measured(2 * seed + 1)
        alarms += exit_code(diff(a, b))
    assert alarms <= 60 * 0.05
