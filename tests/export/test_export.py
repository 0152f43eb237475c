"""Exported folders: they run by themselves as they were measured, and say what was measured."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from tokenizers import Tokenizer

from runner.errors import UserError
from runner.export.card import render_card
from runner.export.variant import choose, find_variant
from runner.export.write import export, new_folder
from runner.results.schema import SUMMARY
from runner.results.tables import Tables
from runner.tasks.tokenizer import load_tokenizer, save_tokenizer
from runner.techniques.importing.model_folder import check_folder
from runner.trial.tokenize import tokenize
from tests.export.conftest import ROOT, TECHNIQUES
from tests.patience import PATIENCE_SECONDS

ALONE = "import runpy, sys; sys.modules['runner'] = None; runpy.run_path('predict.py', run_name='__main__')"
HOSTILE = "a|b\n---\n<script>*x*</script>: [y](z) `"


def _predict(folder: Path, texts: list[str]) -> list[tuple[str, float]]:
    """Run predict.py from its own folder, where `runner` cannot be imported."""
    command = [sys.executable, "-I", "-c", ALONE, *texts]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return [(label, float(probability)) for label, probability in lines]


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_it_predicts_by_itself_what_was_recorded(technique: str, swept: Tables, tmp_path: Path) -> None:
    export(swept, technique, tmp_path / "out")
    recorded = [row for row in swept.predictions.read().to_pylist() if row["technique"] == technique]
    assert len(recorded) == 16
    found = _predict(tmp_path / "out", [row["text"] for row in recorded])
    assert [label for label, _ in found] == [row["prediction"] for row in recorded]
    assert [p for _, p in found] == pytest.approx([row["probability"] for row in recorded], abs=2e-6)


def test_texts_come_from_standard_input_too(swept: Tables, tmp_path: Path) -> None:
    export(swept, "onnx", tmp_path / "out")
    texts = ["one text", "", "naïve café\u2028still the same line"]
    piped = subprocess.run(
        [sys.executable, "-I", "-c", ALONE],
        cwd=tmp_path / "out",
        input="\n".join(texts) + "\n",
        capture_output=True,
        text=True,
    )
    assert [line.split("\t")[0] for line in piped.stdout.splitlines()] == [
        label for label, _ in _predict(tmp_path / "out", texts)
    ]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("padding", "bucket"), [("longest", None), ("bucketed", 8), ("max_length", None)])
def test_calls_are_those_that_were_measured(
    padding: str, bucket: int | None, side: str, swept: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row | {"padding": padding, "bucket": bucket, "max_length": 13} for row in swept.summary.to_pylist()]
    export(replace(swept, summary=pa.Table.from_pylist(rows, schema=SUMMARY)), "onnx", tmp_path / "out")
    save_tokenizer(load_tokenizer(tmp_path / "out"), side, tmp_path / "out")
    spec = importlib.util.spec_from_file_location("exported_predict", tmp_path / "out" / "predict.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    calls: list[dict[str, np.ndarray]] = []

    def logits_of(inputs: dict[str, np.ndarray]) -> np.ndarray:
        calls.append(inputs)
        return np.zeros((len(inputs["input_ids"]), 2))

    texts = ["short", "a text of some more words than that, cut somewhere", "one", "two words", "odd one out"]
    assert len(list(script.predict(texts, logits_of))) == len(texts)
    tokenizer = Tokenizer.from_file(str(tmp_path / "out" / "tokenizer.json"))
    settings: dict[str, Any] = {"batch_size": 2, "padding": padding, "bucket": bucket, "max_length": 13}
    settings |= {"token_types": False, "words": False}
    expected = tokenize(texts, tokenizer, settings | {"pad_token_id": 0, "positions": 512, "model_type": "bert"})
    assert [call["input_ids"].shape for call in calls] == [tuple(shape) for shape in expected["shapes"]]
    for name in ("input_ids", "attention_mask"):
        assert (np.concatenate([call[name].ravel() for call in calls]) == expected[name]).all()


def test_requirements_are_pinned_and_only_the_engines(swept: Tables, tmp_path: Path) -> None:
    versions = swept.manifest["environment"]["versions"]
    for technique, packages in {
        "onnx": ["numpy", "onnxruntime", "tokenizers"],
        "torchscript": ["numpy", "tokenizers", "torch"],
        "torch-eager": ["numpy", "safetensors", "tokenizers", "torch", "transformers"],
    }.items():
        export(swept, technique, tmp_path / technique)
        lines = (tmp_path / technique / "requirements.txt").read_text().splitlines()
        assert [line for line in lines if "==" in line] == [f"{name}=={versions[name]}" for name in packages]


def test_an_exported_checkpoint_can_be_imported_again(swept: Tables, tmp_path: Path) -> None:
    export(swept, "torch-eager", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert check_folder(tmp_path / "out", config, vectors=False, where="model") == []


def test_the_card_and_the_figures_say_the_same(swept: Tables, tmp_path: Path) -> None:
    export(swept, "onnx-int8", tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    measured = json.loads((tmp_path / "out" / "measurements.json").read_text())
    assert measured["variant"]["technique"] == "onnx-int8"
    assert measured["baseline"]["technique"] == "torch-eager"
    assert f"{measured['variant']['latency_p50_seconds'] * 1e3:.2g}"[:3] in card
    assert [step["step"] for step in measured["lineage"]] == ["random-weights", "onnx-export", "onnx-dynamic-int8"]
    assert measured["files"]["model.onnx"]["bytes"] == (tmp_path / "out" / "model.onnx").stat().st_size
    for said in ("weights are random", "only one round", "pinned process", "onnx-dynamic-int8"):
        assert said in card
    assert str(swept.folder.parent) not in card + json.dumps(measured)


def test_verdict_and_masked_weights_are_caveats(swept: Tables) -> None:
    variant = find_variant(swept, "onnx")
    row = {**variant.row, "weights": "trained", "verdict": "tie", "latency_ratio_low": 0.9, "accuracy": 0.5}
    row |= {"accuracy_low": 0.4, "accuracy_high": 0.6}
    lineage = [*variant.lineage, {"step": "magnitude-pruning", "notes": {"masked": True}}]
    card = render_card(swept, replace(variant, row=row, lineage=lineage))
    assert "A tie" in card
    assert "setting them to 0" in card
    assert "only one round" not in card
    assert "random:" not in card


def test_int8_products_that_may_saturate_here_or_elsewhere_are_a_caveat(swept: Tables) -> None:
    variant = find_variant(swept, "onnx-int8")
    assert variant.row["int8_weight_bits"] == 8
    moved = {"weights": "trained", "changed_fraction": 0.25, "accuracy_difference": -0.015}
    moved |= dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), 0.5)
    cards = [
        render_card(
            swept, replace(variant, row={**variant.row, **moved, "int8_may_saturate": may, "int8_weight_bits": bits})
        )
        for may, bits in ((True, 8), (False, 8), (False, 7), (None, None))
    ]
    assert "may saturate on the CPU below, which has no VNNI: 25.0% of predictions changed, accuracy −1.5" in cards[0]
    assert "were exact on the CPU below. On an x86 CPU without VNNI they may saturate" in cards[1]
    assert not any("saturate" in card for card in cards[2:])


def test_no_name_becomes_markup(swept: Tables) -> None:
    evaluated = {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6}
    rows = [row | {"technique": HOSTILE, "task": HOSTILE, **evaluated} for row in swept.summary.to_pylist()]
    tables = replace(swept, summary=pa.Table.from_pylist(rows, schema=SUMMARY))
    tables = replace(tables, manifest={**tables.manifest, "labels": {HOSTILE: [HOSTILE, "other"]}})
    card = render_card(tables, find_variant(tables, rows[0]["job"]))
    _, front, body = card.split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["model-index"][0]["name"] == f"tiny · {' '.join(HOSTILE.split())}"
    assert "<script>" not in body
    assert "[y](z)" not in body
    assert "\n---\n" not in body


def test_a_variant_that_is_not_one_job_is_refused_with_the_nearest(swept: Tables) -> None:
    rows = swept.summary.to_pylist()
    assert choose(rows, "tiny/onnx", "x") == choose(rows, "onnx", "x")
    assert choose(rows, rows[0]["job"], "x") == rows[0]
    with pytest.raises(UserError, match=r"Closest: .*onnx-int8"):
        choose(rows, "onnx-int9", "x")
    with pytest.raises(UserError, match=r"2 jobs of x match it.*first, second"):
        choose([rows[0] | {"job": "first"}, rows[0] | {"job": "second"}], rows[0]["technique"], "x")


def test_a_variant_that_failed_is_refused(swept: Tables) -> None:
    rows = [row | {"latency_p50_seconds": None, "status": "oom"} for row in swept.summary.to_pylist()]
    with pytest.raises(UserError, match=r"its status is oom.*RETRY=failed"):
        find_variant(replace(swept, summary=pa.Table.from_pylist(rows, schema=SUMMARY)), "onnx")


def test_what_is_gone_or_changed_in_the_store_is_not_handed_over(
    swept: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = find_variant(swept, "onnx").row["artifact"]
    copied = shutil.copytree(swept.folder, tmp_path / "sweep")
    store = shutil.copytree(swept.folder.parent / "store", tmp_path / "store")
    for note in copied.glob("prepared/*/prepared.json"):
        note.write_text(note.read_text().replace(str(swept.folder.parent), str(tmp_path)))
    overrides = [f"store={store}" if o.startswith("store=") else o for o in swept.manifest["overrides"]]
    tables = replace(swept, folder=copied, manifest={**swept.manifest, "overrides": overrides})
    (store / "contents" / artifact / "model.onnx").write_bytes(b"other")
    with pytest.raises(UserError, match="its files were changed"):
        export(tables, "onnx", tmp_path / "out")
    shutil.rmtree(store / "contents" / artifact)
    with pytest.raises(UserError, match="make reproduce of "):
        export(tables, "onnx", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(UserError, match="there already"), new_folder(tmp_path / "full"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def half_way() -> None:
        with new_folder(tmp_path / "out") as folder:
            (folder / "part").touch()
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        half_way()
    assert not list(tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out") as folder:
        (folder / "part").touch()
        assert not list((tmp_path / "out").iterdir())
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "part"]


def test_the_command_ends_with_code_2_and_no_traceback(swept: Tables, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runner.cli", "export", str(swept.folder), "onxx", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Closest: onnx" in done.stderr
    assert "Traceback" not in done.stderr
