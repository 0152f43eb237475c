"""A variant that was imported as a graph of another tool is exported as it was measured."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.export.write import export
from runner.results.tables import Tables, read_tables
from tests.export.conftest import ROOT
from tests.export.test_export import _predict
from tests.techniques.conftest import apply_step, save_random, write_toy_texts


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """One round of a tiny classifier whose graphs in ONNX and OpenVINO lie in folders, as other tools write them."""
    place = tmp_path_factory.mktemp("imported")
    texts = write_toy_texts(place / "texts")
    checkpoint = save_random(place / "checkpoint", texts, "bert")
    for tool, named in (("onnx", "model"), ("openvino", "openvino_model")):
        exported, _ = apply_step(place / f"{tool}-exported", checkpoint, texts, step=f"{tool}-export")
        folder = Path(shutil.copytree(checkpoint, place / tool))
        (folder / "model.safetensors").unlink()
        for path in exported.glob("model.*"):
            shutil.copy(path, folder / f"{named}{path.suffix}")
    rows = "\n".join(
        f"{text},{label}"
        for text, label in (("awful word1", "negative"), ("table word2", "neutral"), ("lovely word3", "positive")) * 6
    )
    (place / "texts.csv").write_text(f"text,label\n{rows}\n")
    union = ", ".join(
        f"{{model: {tool}-folder, model.path: {place / tool}, technique: {tool}-as-is}}"
        for tool in ("onnx", "openvino")
    )
    settings = [
        *("task=file", f"task.path={place / 'texts.csv'}", "control_texts=0", "isolation=process", "measure=smoke"),
        *("workload=smoke", "measure.rounds=1", "measure.peaks=false", "grid.baseline=null", f"grid.union=[{union}]"),
    ]
    command = [sys.executable, "-m", "runner", "-m", f"hydra.sweep.dir={place / 'sweep'}", f"store={place / 'store'}"]
    done = subprocess.run([*command, *settings], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read_tables(place / "sweep")


@pytest.mark.sweep
@pytest.mark.parametrize("technique", ["onnx-as-is", "openvino-as-is"])
def test_it_predicts_by_itself_what_was_recorded(technique: str, imported: Tables, tmp_path: Path) -> None:
    export(imported, technique, tmp_path / "out")
    recorded = [row for row in imported.predictions.read().to_pylist() if row["technique"] == technique]
    assert len(recorded) > 3
    found = _predict(tmp_path / "out", [row["text"] for row in recorded])
    assert [label for label, _ in found] == [row["prediction"] for row in recorded]
    assert [p for _, p in found] == pytest.approx([row["probability"] for row in recorded], abs=2e-6)
    card = (tmp_path / "out/README.md").read_text()
    assert f"import-{technique.removesuffix('-as-is')}" in card
