"""What a trial's file says when the box computes otherwise than asked, or faster than the machine can."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from runner.config.job_file import write_jobs
from runner.config.load import LoadConfig, LoadKind
from runner.config.schema import (
    Config,
    IsolationConfig,
    IsolationKind,
    MeasureConfig,
    ModelConfig,
    TechniqueConfig,
    WorkloadConfig,
    plain_config,
)
from runner.config.task import TaskConfig
from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.results.json_files import read_record
from runner.results.records.measured import to_json
from runner.results.records.plan import Role, TrialSpec, write_plan
from runner.results.records.prepared import PreparedJob
from runner.results.records.trial import TrialRecord
from runner.store.artifacts import folder_sha256
from runner.store.sweep_folder import SweepFolder
from runner.sweep import trial as trial_module
from runner.sweep.peaks import Peaks
from tests.sweep.plans import a_plan

MEASURED = {"engine_mean_seconds": 0.01, "samples": {}}


class FakeBox(Box):
    kind = "fake"

    def run(self, order: BoxOrder) -> BoxEnd:
        (order.output / "measured.json").write_text(json.dumps(MEASURED))
        return BoxEnd(0, False, False, "")

    def memory_limit(self, memory_bytes: int) -> int | None:
        return memory_bytes


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep whose machine has a peak of 100 GFLOP/s and whose boxes answer at once."""
    monkeypatch.setattr(trial_module, "make_box", lambda _: FakeBox())
    monkeypatch.setattr(trial_module, "measured_peaks", lambda *_, **__: Peaks(1, float32_flops_per_second=1.1e11))
    folder = SweepFolder(tmp_path)
    folder.write(folder.peaks, json.dumps({"1": asdict(Peaks(1, float32_flops_per_second=1e11))}))
    return tmp_path


def trial(
    sweep: Path,
    declared: str | None = "float32",
    status: str = "ok",
    role: Role = Role.variant,
    load: LoadConfig | None = None,
    **ready: Any,
) -> TrialRecord:
    """Run one and return its record."""
    empty = sweep / folder_sha256(sweep / "nothing")  # as the store names what holds no file
    empty.mkdir()
    note = PreparedJob(status, artifact_path=str(empty), inputs_path=str(empty), **ready)
    folder = SweepFolder(sweep)
    folder.write(folder.prepared("job"), to_json(note))
    cfg = Config(
        model=ModelConfig(name="m", family="m"),
        task=TaskConfig(name="t"),
        workload=WorkloadConfig(name="w"),
        technique=TechniqueConfig(name="t", engine="e", precision=declared),
        measure=MeasureConfig(name="m"),
        isolation=IsolationConfig(kind=IsolationKind.process),
        load=load or LoadConfig(),
    )
    write_jobs(folder, {"job": plain(cfg)})
    spec = TrialSpec("job", 0, 0, role, None)
    write_plan(folder, a_plan([spec]))
    trial_module.run_trial(folder, spec.name)
    return read_record(folder.trial(spec.name), TrialRecord)


def plain(cfg: Config) -> dict[str, Any]:
    """Return a config as plain values."""
    return plain_config(OmegaConf.structured(cfg))


def test_a_trial_says_how_much_it_computed(sweep: Path) -> None:
    row = trial(sweep, precision="float32", useful_flops=4e8, padded_flops=5e8)
    assert row.status == "ok", row
    assert row.padded_flops_per_second == pytest.approx(5e10)
    assert row.peak_fraction == pytest.approx(0.5)
    assert row.flops_per_second == pytest.approx(4e10)


def test_a_rate_above_the_peak_is_unfair(sweep: Path) -> None:
    row = trial(sweep, precision="float32", useful_flops=4e9, padded_flops=5e9)
    assert row.status == "unfair"
    assert "computed 500 GFLOP/s, but this machine's peak in float32 is 110" in row.error


def test_another_precision_than_declared_is_unfair(sweep: Path) -> None:
    row = trial(sweep, declared="int8", precision="float32")
    assert row.status == "unfair"
    assert row.error == "the technique declares int8 matrix products, but the engine runs float32"


def test_a_failed_trial_keeps_its_log_also_when_the_sweep_is_named_relatively(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeBox, "run", lambda self, order: BoxEnd(1, False, False, "it broke"))
    monkeypatch.chdir(sweep)
    row = trial(Path(), precision="float32")
    assert (row.status, row.error) == ("crashed", "ended with exit code 1: it broke")
    assert (sweep / (row.log or "")).read_text() == "it broke"


def test_what_is_not_known_is_null(sweep: Path) -> None:
    row = trial(sweep, declared=None)
    assert row.status == "ok"
    assert row.flops_per_call is row.peak_fraction is None


def test_a_job_whose_predictions_are_wrong_is_not_measured(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBox, "run", lambda self, order: pytest.fail("it was measured"))
    row = trial(sweep, status="wrong", error="predictions differ", log="prepared/job/log.txt")
    assert (row.status, row.error, row.log) == ("wrong", "predictions differ", "prepared/job/log.txt")


def test_an_open_load_is_measured_after_the_closed_one_on_all_its_cores(
    sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores: list[int] = []
    boxes: list[list[int]] = []
    monkeypatch.setattr(trial_module, "choose_cpus", lambda number: [7, 8, 9][-number:])
    monkeypatch.setattr(trial_module, "lock_cores", lambda locked, _: nullcontext(cores.extend(locked)))
    run = FakeBox.run
    monkeypatch.setattr(FakeBox, "run", lambda self, order: (boxes.append(order.cpus), run(self, order))[1])

    def measured(record: TrialRecord, box: Box, order: BoxOrder, load: LoadConfig, cpus: list[int], _: Path) -> None:
        assert (boxes, order.module, load.workers, cpus) == ([[9]], "runner.trial", 2, [7, 8, 9])
        record.capacity_per_second = 42.0

    monkeypatch.setattr(trial_module, "measure_capacity", measured)
    row = trial(sweep, precision="float32", load=LoadConfig("open", LoadKind.open, workers=2))
    assert cores == [7, 8, 9]
    assert (row.status, row.capacity_per_second) == ("ok", 42)
    assert (row.load, row.workers, row.max_batch_size, row.slo_seconds) == ("open", 2, 1, 0.05)


def test_a_trial_that_fails_has_no_service(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "choose_cpus", lambda number: [8, 9][-number:])
    monkeypatch.setattr(trial_module, "lock_cores", lambda *_: nullcontext())
    monkeypatch.setattr(FakeBox, "run", lambda self, order: BoxEnd(1, False, False, "it broke"))
    monkeypatch.setattr(trial_module, "measure_capacity", lambda *_: pytest.fail("it was measured"))
    assert trial(sweep, load=LoadConfig("open", LoadKind.open)).status == "crashed"


def test_a_cold_start_has_no_service(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "choose_cpus", lambda number: [8, 9][-number:])
    monkeypatch.setattr(trial_module, "lock_cores", lambda *_: nullcontext())
    monkeypatch.setattr(trial_module, "measure_capacity", lambda *_: pytest.fail("it was measured"))
    row = trial(sweep, role=Role.cold_start, precision="float32", load=LoadConfig("open", LoadKind.open))
    assert row.status == "ok"


def test_a_closed_load_leaves_no_trace_in_the_file(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "measure_capacity", lambda *_: pytest.fail("it was measured"))
    trial(sweep, precision="float32")
    names = json.loads(next(sweep.glob("trials/*/trial.json")).read_text()).keys()
    assert not {name for name in names if "capacity" in name or "slo" in name} | names & {"load", "workers", "probes"}


def test_a_cold_start_evicts_first_and_makes_few_calls(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[BoxOrder] = []
    closed: list[int] = []

    class Recording(FakeBox):
        def run(self, order: BoxOrder) -> BoxEnd:
            assert not list(order.output.iterdir())
            orders.append(order)
            return super().run(order)

    monkeypatch.setattr(trial_module, "make_box", lambda _: Recording())
    monkeypatch.setattr(trial_module, "close_partner", lambda: closed.append(len(orders)))
    assert trial(sweep, role=Role.cold_start).status == "ok"
    assert [order.module for order in orders] == ["runner.trial.evict", "runner.trial"]
    assert closed == [0]
    assert orders[1].request["measure"]["timed_seconds"] == 0
    assert orders[1].inputs.keys() == {"artifact", "inputs"}  # no partner


def test_a_cold_start_whose_files_stay_cached_is_a_failed_row(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(FakeBox):
        def run(self, order: BoxOrder) -> BoxEnd:
            return BoxEnd(1, False, False, "no such call")

    monkeypatch.setattr(trial_module, "make_box", lambda _: Failing())
    record = trial(sweep, role=Role.cold_start)
    assert record.status == "crashed"
    assert "could not be evicted from the page cache: it ended with exit code 1: no such call" in (record.error or "")
    assert not (SweepFolder(sweep).trial_folder("job-r0-cold-start") / "box").exists()
