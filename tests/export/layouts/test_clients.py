"""Exported folders in the libraries that they are for: the same labels and the same outputs as were recorded."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.export.variant import find_variant
from runner.export.write import export
from runner.results.tables import Tables
from runner.tasks.tokenizer import load_tokenizer
from tests.export.conftest import Job
from tests.export.layouts.environments import HERE, folder_of_transformers_js, python_of_the_clients
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.clients
CLASSES = {"vectors": "FeatureExtraction", "tagged": "TokenClassification"}
OPTIMUM = [
    ("single", "onnx-int8"),
    ("single", "onnx-weights-4bit"),
    ("single", "openvino"),
    ("pairs", "openvino"),
    ("vectors", "onnx"),
    ("tagged", "onnx"),
]
SENTENCE_TRANSFORMERS = [("vectors", "onnx-int8"), ("vectors", "openvino"), ("pairs", "onnx-int8")]
TRANSFORMERS_JS = [("single", "onnx-int8"), ("vectors", "onnx"), ("pairs", "onnx-int8"), ("several", "onnx")]


def _same(
    swept_tasks: Tables, job: str, task: str, folder: Path, command: list[str], cwd: Path, whole: bool = False
) -> None:
    """Check what a client prints against what the sweep recorded.

    Args:
        swept_tasks: the sweep.
        job: the key of the job.
        task: the name of its task.
        folder: the exported folder.
        command: the command that runs the client, without the folder.
        cwd: the folder in which it runs.
        whole: whether texts that are cut are left out.
    """
    recorded = json.loads((swept_tasks.folder / "predictions" / f"{job}.json").read_text())
    texts: list[Any] = recorded["words"] if task == "tagged" else recorded["texts"]
    texts = [text.split("\n") for text in texts] if task == "pairs" else texts
    expected = np.array(recorded["logits"], dtype=float)
    if whole:
        tokenizer, limit = load_tokenizer(folder), find_variant(swept_tasks, job).row["max_length"]
        lengths = [len(tokenizer.encode(*(text if task == "pairs" else [text]))) for text in texts]
        fits = np.array(lengths) <= limit
        texts, expected = [text for text, fit in zip(texts, fits, strict=True) if fit], expected[fits]
        assert len(texts) >= 16
    given = json.dumps({"task": CLASSES.get(task, "SequenceClassification"), "texts": texts})
    done = subprocess.run(
        [*command, str(folder)], cwd=cwd, input=given, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout.splitlines()[-1])
    values = [one["values"] for one in printed]
    if task == "tagged":
        values = [word for words in values for word in words]
        known = ~np.isnan(expected).any(-1)
        assert [word is not None for word in values] == known.tolist()
        values, expected = [word for word in values if word is not None], expected[known]
    found = np.array(values)
    assert found.shape == expected.shape
    cosines = (found * expected).sum(-1) / np.linalg.norm(found, axis=-1) / np.linalg.norm(expected, axis=-1)
    assert cosines.min() >= 0.9999
    if task == "single":
        labels = [recorded["labels"][place] for place in expected.argmax(-1)]
        assert [one["label"] for one in printed] == labels
    elif task in ("pairs", "tagged"):
        assert (found.argmax(-1) == expected.argmax(-1)).all()


@pytest.mark.parametrize(("task", "technique"), OPTIMUM)
def test_optimum(task: str, technique: str, swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    python = python_of_the_clients()
    export(swept_tasks, job(task, technique), tmp_path / "out", "optimum")
    _same(
        swept_tasks,
        job(task, technique),
        task,
        tmp_path / "out",
        [str(python), str(HERE / "optimum_client.py")],
        tmp_path,
    )


@pytest.mark.parametrize(("task", "technique"), SENTENCE_TRANSFORMERS)
def test_sentence_transformers(task: str, technique: str, swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    client = [str(python_of_the_clients()), str(HERE / "sentence_transformers_client.py")]
    export(swept_tasks, job(task, technique), tmp_path / "out", "sentence-transformers")
    _same(swept_tasks, job(task, technique), task, tmp_path / "out", client, tmp_path)


@pytest.mark.parametrize(("task", "technique"), TRANSFORMERS_JS)
def test_transformers_js(task: str, technique: str, swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    place = folder_of_transformers_js()
    script = place / "transformers_js_client.mjs"  # Node.js looks for packages beside the script
    script.write_bytes((HERE / script.name).read_bytes())
    export(swept_tasks, job(task, technique), tmp_path / "out", "transformers.js")
    _same(swept_tasks, job(task, technique), task, tmp_path / "out", ["node", str(script)], tmp_path, whole=True)
