"""Exported folders of every kind of task: each takes what the sweep evaluated, and tells what it recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from runner.config.task_kinds import KINDS, TOKENS
from runner.engines.engine import FORMATS
from runner.export.card import render_card
from runner.export.layouts.pinbox import run_script
from runner.export.script import predict_script
from runner.export.variant import find_variant
from runner.export.write import export
from runner.results.schema import SUMMARY
from runner.results.tables import Tables
from tests.export.conftest import TECHNIQUES_OF, WORDS, job_of
from tests.export.test_export import ALONE
from tests.patience import PATIENCE_SECONDS


def _export(swept_tasks: Tables, task: str, technique: str, to: Path) -> tuple[Path, dict[str, Any]]:
    """Return the exported folder, and what the sweep recorded of its predictions."""
    job = job_of(swept_tasks, task, technique)
    export(swept_tasks, job, to)
    recorded: dict[str, Any] = json.loads((swept_tasks.folder / "predictions" / f"{job}.json").read_text())
    return to, recorded


def _predict(folder: Path, *arguments: str, lines: str | None = None) -> list[str]:
    command = [sys.executable, "-I", "-c", ALONE, *arguments]
    done = subprocess.run(command, cwd=folder, input=lines, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _of(swept_tasks: Tables, task: str, technique: str) -> list[dict[str, Any]]:
    job = job_of(swept_tasks, task, technique)
    table = pq.read_table(swept_tasks.folder / "predictions.parquet", filters=[("job", "==", job)])
    found: list[dict[str, Any]] = table.to_pylist()
    return found


@pytest.mark.parametrize("technique", TECHNIQUES_OF["pairs"])
def test_pairs_are_told_as_they_were_recorded(technique: str, swept_tasks: Tables, tmp_path: Path) -> None:
    folder, recorded = _export(swept_tasks, "pairs", technique, tmp_path / "out")
    pairs = [text.split("\n") for text in recorded["texts"]]
    assert len(pairs) == 32
    found = [line.split("\t") for line in _predict(folder, lines="".join("\t".join(pair) + "\n" for pair in pairs))]
    rows = _of(swept_tasks, "pairs", technique)
    assert [label for label, _ in found] == [row["prediction"] for row in rows]
    assert [float(p) for _, p in found] == pytest.approx([row["probability"] for row in rows], abs=2e-6)
    assert json.loads((folder / "settings.json").read_text())["inputs"][2:] == ["token_type_ids"]
    if technique == "onnx":
        assert _predict(folder, *pairs[0], *pairs[1]) == ["\t".join(one) for one in found[:2]]


def test_what_is_no_pair_is_refused(swept_tasks: Tables, tmp_path: Path) -> None:
    folder, _ = _export(swept_tasks, "pairs", "onnx", tmp_path / "out")
    for arguments, lines in ((["one"], None), ([], "one\ttwo\nthree\n")):
        command = [sys.executable, "-I", "-c", ALONE, *arguments]
        done = subprocess.run(command, cwd=folder, input=lines, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (
            "This model evaluates pairs: give two texts for each, on a line with one tab between them.\n"
        )


@pytest.mark.parametrize("technique", TECHNIQUES_OF["several"])
def test_all_labels_above_the_threshold_are_told(technique: str, swept_tasks: Tables, tmp_path: Path) -> None:
    folder, recorded = _export(swept_tasks, "several", technique, tmp_path / "out")
    settings = json.loads((folder / "settings.json").read_text())
    middle = float(np.median(1 / (1 + np.exp(-np.array(recorded["logits"])))[:, 0]))
    told = set()
    for threshold in (settings["threshold"], middle):  # a random model says the same of every text at a half
        (folder / "settings.json").write_text(json.dumps(settings | {"threshold": threshold}))
        found = [line.split("\t") if line else [] for line in _predict(folder, *recorded["texts"])]
        expected = [
            [(name, p) for name, p in zip(settings["labels"], row["probabilities"], strict=True) if p > threshold]
            for row in _of(swept_tasks, "several", technique)
        ]
        assert [line[::2] for line in found] == [[name for name, _ in row] for row in expected]
        printed = [float(p) for line in found for p in line[1::2]]
        assert printed == pytest.approx([p for row in expected for _, p in row], abs=2e-6)
        told |= {tuple(line[::2]) for line in found}
        if threshold == settings["threshold"]:
            names = [" + ".join(line[::2]) or "(none)" for line in found]
            assert names == [row["prediction"] for row in _of(swept_tasks, "several", technique)]
    assert len(told) > 1


@pytest.mark.parametrize("technique", TECHNIQUES_OF["vectors"])
def test_vectors_are_those_that_were_recorded(technique: str, swept_tasks: Tables, tmp_path: Path) -> None:
    folder, recorded = _export(swept_tasks, "vectors", technique, tmp_path / "out")
    (tmp_path / "vectors.txt").write_text("\n".join(_predict(folder, *recorded["texts"])) + "\n")
    found = np.loadtxt(tmp_path / "vectors.txt")
    assert found.shape == (17, 32)
    np.testing.assert_allclose(found, recorded["logits"], atol=1e-6)
    assert "labels" not in json.loads((folder / "settings.json").read_text())


@pytest.mark.parametrize("technique", TECHNIQUES_OF["tagged"])
def test_every_word_has_the_tag_that_was_recorded(technique: str, swept_tasks: Tables, tmp_path: Path) -> None:
    folder, recorded = _export(swept_tasks, "tagged", technique, tmp_path / "out")
    assert sorted(recorded["words"]) == sorted(WORDS)
    printed = _predict(folder, lines="".join("\t".join(words) + "\n" for words in recorded["words"]))
    assert [line.split("\t")[0] for line in printed] == [word for words in recorded["words"] for word in (*words, "")]
    rows = _of(swept_tasks, "tagged", technique)
    tags, probabilities = zip(*(line.split("\t")[1:] for line in printed if line), strict=True)
    assert [tag or None for tag in tags] == [row["prediction"] for row in rows]
    cut = [row["probability"] is None for row in rows]
    assert [p == "" for p in probabilities] == cut
    assert 0 < sum(cut) < len(cut)
    recorded_ones = [row["probability"] for row in rows if row["probability"] is not None]
    assert [float(p) for p in probabilities if p] == pytest.approx(recorded_ones, abs=2e-6)


def test_words_have_spaces_between_them(swept_tasks: Tables, tmp_path: Path) -> None:
    folder, _ = _export(swept_tasks, "tagged", "onnx", tmp_path / "out")
    told = [line.split("\t")[0] for line in _predict(folder, "a  horse,  10\u00a0km ", "", "New York\tso")]
    assert told == ["a", "horse,", "10\u00a0km", "", "", "New York", "so", ""]


def test_a_task_without_labels_has_the_outputs_of_the_model(swept_tasks: Tables, tmp_path: Path) -> None:
    folder, recorded = _export(swept_tasks, "plain", "onnx", tmp_path / "out")
    found = [line.split("\t")[0] for line in _predict(folder, *recorded["texts"])]
    assert found == [row["prediction"] for row in _of(swept_tasks, "plain", "onnx")]


def test_without_labels_of_the_task_every_model_has_its_own(swept_tasks: Tables) -> None:
    job = job_of(swept_tasks, "plain", "onnx")
    artifact = find_variant(swept_tasks, job).row["artifact"]
    lineage = swept_tasks.manifest["lineage"]
    steps = [{**lineage[artifact][0], "notes": {"labels": ["no", "yes"]}}, *lineage[artifact][1:]]
    tables = replace(swept_tasks, manifest={**swept_tasks.manifest, "lineage": {**lineage, artifact: steps}})
    assert find_variant(tables, job).labels == ["no", "yes"]


CARDS = {
    "pairs": ("assigns each pair of texts one of these labels: False, True", '"The text that goes with it"'),
    "several": ("assigns each text any number of these labels: hill, horse", "only if all of its labels are"),
    "vectors": ("each text a vector", "| Cosine | 0.9876"),
    "plain": ("assigns each text one of these labels: 0, 1", "its task has no labels"),
    "tagged": ("each word of a text one of these tags: O, THING", "16 words of the task tagged", "reads 64 tokens"),
}


@pytest.mark.parametrize("task", CARDS)
def test_the_card_tells_the_measures_of_its_kind(task: str, swept_tasks: Tables) -> None:
    evaluated: dict[str, Any] = {"weights": "trained", "examples": 16}
    if task in ("pairs", "several", "tagged"):
        evaluated |= {"accuracy": 0.75, "accuracy_low": 0.5, "accuracy_high": 0.9, "macro_f1": 0.7}
    if task == "several":
        evaluated |= {"micro_f1": 0.8}
    if task == "tagged":
        evaluated |= {"entity_f1": 0.6}
    if task == "vectors":
        evaluated |= {"cosine_mean": 0.98764, "cosine_low": 0.98, "cosine_high": 0.99, "cosine_least": 0.9}
    rows = [row | (evaluated if row["task"] == task else {}) for row in swept_tasks.summary.to_pylist()]
    tables = replace(swept_tasks, summary=pa.Table.from_pylist(rows, schema=SUMMARY))
    variant = find_variant(tables, job_of(swept_tasks, task, "torch-eager"))
    card = render_card(tables, variant, [run_script(variant)])
    for said in CARDS[task]:
        assert said in card
    front = yaml.safe_load(card.split("---\n")[1])
    figures = front.get("model-index", [{"results": []}])[0]["results"]
    metrics = {one["name"]: one["value"] for result in figures for one in result["metrics"]}
    pipelines = {"vectors": "feature-extraction", "tagged": "token-classification"}
    assert front["pipeline_tag"] == pipelines.get(task, "text-classification")
    assert {"Latency p50 (ms)", "Size on disk (MB)"} <= {*metrics}
    assert {name: value for name, value in metrics.items() if "(MB)" not in name and "atency" not in name} == {
        "pairs": {"Accuracy": 0.75, "Macro-F1": 0.7},
        "several": {"Accuracy: all labels of a text right": 0.75, "Macro-F1": 0.7, "Micro-F1": 0.8},
        "tagged": {"Accuracy of words": 0.75, "Macro-F1": 0.7, "Entity F1": 0.6},
    }.get(task, {})
    assert ("ccuracy" in card) == (task != "vectors")


@pytest.mark.parametrize("engine", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_script_is_one_page_without_the_runner(engine: str, kind: str) -> None:
    for pairs in (False,) if kind == TOKENS else (False, True):
        script = predict_script(engine, kind, pairs)
        compile(script, "predict.py", "exec")
        assert "runner" not in script
        assert len(script.splitlines()) < 120
        assert len(set(map(script.count, ("def given(", "def values(", "def line(", "def load(")))) == 1
