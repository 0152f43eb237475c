"""A sweep runs with the user's own step, engine, task and metric: the example of `pinbox init --code`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from runner.cli.init.write import write_example
from runner.tasks.texts import Example, Texts, write_texts
from tests.patience import PATIENCE_SECONDS
from tests.techniques.conftest import save_random

ROOT = Path(__file__).parents[2]
ALONE = ["grid.baseline=own-code", "grid.union=[{technique: own-code}]", "measure.rounds=1", "technique.precision=null"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with a model that has weights, and code beside it that the box must not see."""
    folder = tmp_path_factory.mktemp("own")
    write_example(folder, code=True)
    texts = tmp_path_factory.mktemp("texts")
    write_texts(Texts(["bad", "good"], *([[Example("a text", 0), Example("another", 1)]] * 3)), texts)
    save_random(folder / "model", texts, "bert")
    (folder / "conf" / "model" / "mine.yaml").write_text(
        "name: mine\nfamily: mine\nsource: {kind: folder}\npath: model\nsteps: [{step: import-checkpoint}]\n"
    )
    (folder / "onnxruntime.py").write_text("raise RuntimeError('of the folder, not of plugins/')\n")
    return folder


@pytest.fixture(scope="module", params=[pytest.param("docker", marks=pytest.mark.docker), "process"])
def swept(request: pytest.FixtureRequest, folder: Path) -> Path:
    out = folder / "outputs" / request.param
    command = [sys.executable, "-m", "runner.cli", "sweep", "grid=own-code", f"isolation={request.param}", *ALONE]
    settings = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [*command, "--out", str(out)],
        cwd=folder,
        env=settings,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_its_trials_are_rows_that_name_the_code(swept: Path) -> None:
    results = pd.read_parquet(swept / "results.parquet")
    assert set(results.status) == {"ok"}
    assert {json.loads(used)["arena"] for used in results.box_engine} == {"off"}
    (used,) = set(results.plugins)
    assert [label.partition("@")[0] for label in used.split()] == [
        "steps/round-weights",
        "tasks/reviews",
        "engines/onnxruntime_lean",
    ]


def test_a_trial_imports_only_its_engine(swept: Path) -> None:
    for path in (swept / "trials").glob("*/trial.json"):
        modules = set(json.loads(json.loads(path.read_text())["box_rest"])["modules"])
        assert {"plugins", "onnxruntime", "tokenizers"} <= modules
        assert not modules & {"torch", "transformers", "hydra", "omegaconf", "pandas", "pyarrow"}


def test_its_metric_is_in_the_report(swept: Path) -> None:
    summary = pd.read_parquet(swept / "summary.parquet")
    ((name, value),) = summary.metrics[0]
    predictions = pd.read_parquet(swept / "predictions.parquet")
    wrong = predictions[predictions.label != predictions.prediction]
    assert name == "cost"
    assert value == pytest.approx(wrong.label.map({"bad": 5, "good": 1}).sum() / len(predictions))
    assert "cost" in (swept / "report.md").read_text()


def test_the_step_s_code_is_in_the_record(swept: Path) -> None:
    manifest = json.loads((swept / "manifest.json").read_text())
    (lineage,) = manifest["lineage"].values()
    (record,) = (entry for entry in lineage if entry.get("step") == "round-weights")
    assert record["plugin"] == f"steps/round-weights@{record['code'][:12]}"
    assert record["notes"]["largest_change"] > 0
