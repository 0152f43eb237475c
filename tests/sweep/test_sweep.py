"""A whole sweep of the smoke grid, in each kind of box: real models, real boxes, real files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from runner.machine.topology import choose_cpus
from tests.patience import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.sweep

ROOT = Path(__file__).parents[2]


def pinbox(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the smoke grid as a user would."""
    command = [sys.executable, "-m", "runner", "-m", "grid=smoke", f"hydra.sweep.dir={out}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


class Sweep:
    """A sweep that ran: its kind of box, its folder, what it printed."""

    def __init__(self, kind: str, folder: Path, store: Path, arguments: Sequence[str] = ()) -> None:
        self.kind, self.folder = kind, folder
        self.arguments = [f"isolation={kind}", f"store={store}", *arguments]
        self.done = self.again()

    def again(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return pinbox(self.folder / "sweep", *self.arguments, *arguments)

    def read(self, table: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "sweep" / f"{table}.parquet")


@pytest.fixture(scope="session", params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def swept(request: pytest.FixtureRequest, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return Sweep(request.param, tmp_path_factory.mktemp(request.param), store)


def test_every_trial_is_a_row(swept: Sweep) -> None:
    assert swept.done.returncode == 0, swept.done.stderr
    results = swept.read("results")
    assert len(results) == 2 * (4 + 1)
    assert set(results.status) == {"ok"}
    assert set(results.isolation) == {swept.kind}
    assert (results.latency_p50_seconds > 0).all()
    assert (results.compressed_bytes > 0).all()
    assert (results.compressed_bytes < results.disk_bytes).all()
    assert not results.masked.any()
    assert results.image_id.notna().all() == (swept.kind == "docker")


def test_every_trial_took_turns_with_the_baseline(swept: Sweep) -> None:
    results, samples = swept.read("results"), swept.read("samples")
    assert results.partner_ratio.notna().all()
    assert results.latency_ratio.notna().all()
    assert (results.partner_latency_p50_seconds > 0).all()
    partner = samples[samples.role == "partner"]
    assert len(partner) == results.calls.sum()
    assert (partner.latency_seconds > 0).all()
    assert not list((swept.folder / "sweep" / "trials").glob("partner-*"))


def test_every_timed_call_is_kept(swept: Sweep) -> None:
    results, samples = swept.read("results"), swept.read("samples")
    assert (samples.role != "partner").sum() == results.calls.sum()
    one = results.iloc[0]
    its = samples[(samples.job == one.job) & (samples["round"] == one["round"]) & (samples.role == one.role)]
    assert its.latency_seconds.median() == pytest.approx(one.latency_p50_seconds)


def test_an_onnx_runtime_trial_imports_neither_torch_nor_transformers(swept: Sweep) -> None:
    seen = {}
    for path in (swept.folder / "sweep" / "trials").glob("*/trial.json"):
        trial = json.loads(path.read_text())
        seen[trial["technique"]] = set(json.loads(trial["box_rest"])["modules"])
    for technique in ("onnx", "onnx-int8"):
        assert {"onnxruntime", "tokenizers"} <= seen[technique]
        assert not seen[technique] & {"torch", "transformers", "hydra", "omegaconf", "pandas", "pyarrow"}
    assert "torch" in seen["torchscript"]
    assert "transformers" not in seen["torchscript"]
    assert "transformers" in seen["torch-eager"]


def test_random_weights_have_no_accuracy(swept: Sweep) -> None:
    summary = swept.read("summary")
    assert summary.accuracy.isna().all()
    assert set(summary.weights) == {"random"}


def test_float32_variants_predict_what_the_baseline_predicts(swept: Sweep) -> None:
    predictions = swept.read("predictions")
    exact = predictions[predictions.technique.isin(["torchscript", "onnx"])]
    assert len(exact) == 2 * 16
    assert (exact.prediction == exact.baseline_prediction).all()


def test_the_report_is_there(swept: Sweep) -> None:
    assert "onnx-int8" in (swept.folder / "sweep" / "report.md").read_text()
    assert (swept.folder / "sweep" / "report.html").stat().st_size > 100_000
    assert json.loads((swept.folder / "sweep" / "manifest.json").read_text())


def test_the_same_again_starts_no_box(swept: Sweep) -> None:
    trials = {path: path.stat().st_mtime_ns for path in (swept.folder / "sweep" / "trials").glob("*/trial.json")}
    again = swept.again()
    assert again.returncode == 0
    assert "10 of them done before" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in trials} == trials


def test_only_what_is_missing_is_run(swept: Sweep) -> None:
    trials = sorted((swept.folder / "sweep" / "trials").glob("*/trial.json"))
    before = swept.read("results").set_index(["job", "round", "role"]).started_at
    trials[3].unlink()
    assert swept.again().returncode == 0
    after = swept.read("results").set_index(["job", "round", "role"]).started_at
    assert list(after.index) == list(before.index)
    assert (after != before).sum() == 1


def test_a_sweep_with_other_settings_is_not_mixed_in(swept: Sweep) -> None:
    other = swept.again("measure.timed_seconds=0.2")
    assert other.returncode == 2
    assert "measure.timed_seconds was 0.1 and is now 0.2" in other.stderr
    assert "FRESH=1" in other.stderr


@pytest.fixture(scope="session")
def failing(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A sweep in which no trial can end in time."""
    arguments = ["grid.union=[{technique: [torch-eager, onnx]}]", "measure.rounds=1", "isolation.timeout_seconds=1"]
    return Sweep("process", tmp_path_factory.mktemp("failing"), store, [*arguments, "measure.timed_seconds=30"])


def test_a_failed_trial_is_a_row_with_a_reason_and_a_log(failing: Sweep) -> None:
    assert failing.done.returncode == 2
    results = failing.read("results")
    assert set(results.status) == {"timeout"}
    assert results.error.str.contains("isolation.timeout_seconds").all()
    assert all((failing.folder / "sweep" / log).exists() for log in results.log)
    assert "timeout" in failing.done.stderr
    assert "timeout" in (failing.folder / "sweep" / "report.md").read_text()


def test_failed_trials_run_again_when_asked(failing: Sweep) -> None:
    before = failing.read("results").started_at
    assert failing.again().returncode == 2
    assert (failing.read("results").started_at == before).all()
    failing.again("hydra.sweeper.retry=failed")
    assert (failing.read("results").started_at != before).all()


def test_fresh_moves_the_old_sweep_aside(failing: Sweep) -> None:
    failing.again("hydra.sweeper.fresh=true")
    old = [path for path in failing.folder.iterdir() if path.name.startswith("sweep.")]
    assert len(old) == 1
    assert (old[0] / "results.parquet").exists()


def test_an_interrupted_sweep_goes_on_where_it_stopped(tmp_path: Path, swept: Sweep) -> None:
    out, trials = tmp_path / "sweep", 4 * (1 + 2)
    quick = ["grid.union=[{technique: [onnx, onnx-int8]}]", "grid.baseline=onnx", "measure.rounds=4"]
    command = [sys.executable, "-m", "runner", "-m", "grid=smoke", f"hydra.sweep.dir={out}", *swept.arguments, *quick]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ)
    wait_until(lambda: len(list(out.glob("trials/*/trial.json"))) >= 2 or running.poll() is not None, "two trials")
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 130, said
    assert "the same command goes on from here" in said
    kept = len(list(out.glob("trials/*/trial.json")))
    assert 2 <= kept < trials
    assert len(pd.read_parquet(out / "results.parquet")) == kept
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    assert f"{kept} of them done before" in done.stderr
    assert len(pd.read_parquet(out / "results.parquet")) == trials


def test_a_round_on_a_busy_cpu_is_run_again(tmp_path: Path, swept: Sweep) -> None:
    spin = f"import os; os.sched_setaffinity(0, {choose_cpus(1)})\nwhile True: pass"
    alone = ["grid.union=[{technique: onnx}]", "grid.baseline=onnx", "measure.rounds=1", "measure.reruns=1"]
    with subprocess.Popen([sys.executable, "-c", spin]) as neighbour:
        done = pinbox(tmp_path, *swept.arguments, *alone, "measure.timed_seconds=1")
        neighbour.kill()
    assert done.returncode == 0, done.stderr
    assert "Round 2 is needed: the machine was disturbed" in done.stderr
    results = pd.read_parquet(tmp_path / "results.parquet")
    assert sorted(results["round"]) == [0, 0, 1, 1]
    assert results.disturbed_by.notna().any()
    assert results.included.sum() == 2


@pytest.mark.docker
def test_running_out_of_memory_is_a_row(tmp_path: Path, store: Path) -> None:
    arguments = ["grid.union=[{technique: torch-eager}]", "measure.rounds=1", "isolation.memory=64MiB"]
    sweep = Sweep("docker", tmp_path, store, arguments)
    assert sweep.done.returncode == 2
    results = sweep.read("results")
    assert set(results.status) == {"oom"}
    assert results.error.str.contains("isolation.memory").all()


@pytest.mark.docker
def test_openvino_is_fair_on_one_thread(tmp_path: Path, store: Path) -> None:
    """It starts more threads than it computes on."""
    arguments = ["grid.union=[{technique: [torch-eager, openvino, openvino-int8-weights]}]", "measure.rounds=1"]
    results = Sweep("docker", tmp_path, store, [*arguments, "threads=1"]).read("results")
    assert set(results.technique) == {"torch-eager", "openvino", "openvino-int8-weights"}
    assert set(results.status) == {"ok"}
