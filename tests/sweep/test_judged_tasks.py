"""Tasks whose texts people judged, from their files to the predictions file, against transformers alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from transformers import AutoModel, AutoTokenizer

import runner.sweep.prepared
from runner.config.schema import Config
from runner.store.sweep_folder import SweepFolder
from runner.sweep.prepared import prepare_job
from runner.sweep.validation import check_job
from tests.architectures.models import save_tiny
from tests.sweep.control.here import CONF, HereBox

WORDS = ["rain", "sun", "rivers", "moon", "windy", "good", "bad", "table", "letters"]
TEXTS = [" ".join(WORDS[(i * j + i) % len(WORDS)] for j in range(1, 3 + i % 7)) + f" text{i}" for i in range(40)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose weights are random, but which a sweep takes for a trained one."""
    folder = tmp_path_factory.mktemp("encoder") / "model"
    save_tiny(folder, "bert", TEXTS)
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    return folder


def _vectors(model: Path, texts: list[str]) -> np.ndarray:
    """Return the mean of the tokens' last hidden states, one text at a time."""
    tokenizer, encoder = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    with torch.inference_mode():
        states = [encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]
    return np.array([state.mean(0).numpy() for state in states])


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _prepare(monkeypatch: pytest.MonkeyPatch, folder: Path, model: Path, *overrides: str) -> dict[str, Any]:
    """Check and prepare one job, and return the content of its predictions file."""
    monkeypatch.setattr(torch, "set_num_interop_threads", lambda count: None)  # torch allows it once in a process
    monkeypatch.setattr(runner.sweep.prepared, "make_box", lambda isolation: HereBox())
    settings = ["model=folder", f"model.path={model}", "isolation=process", f"store={folder}/store", *overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = OmegaConf.to_object(compose("config", settings))
    assert isinstance(cfg, Config)
    check_job(cfg)
    sweep = SweepFolder(folder / f"sweep-{cfg.technique.name}")
    ready = prepare_job(cfg, "job", sweep, [0])
    assert ready is not None
    assert ready.status == "ok", ready.error
    assert ready.control is not None
    assert ready.control.texts > 0
    predictions: dict[str, Any] = json.loads(sweep.predictions_of("job").read_text())
    return predictions


def test_similarity(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"a": TEXTS[i], "b": TEXTS[-1 - i], "score": i / 4, "split": "test"} for i in range(20)]
    rows += [{"a": TEXTS[i], "b": TEXTS[i + 1], "score": 1, "split": "train"} for i in range(10)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ("task=file", f"task.path={tmp_path}/pairs.jsonl", "task.kind=similarity", "task.text_column=a")
    settings += ("task.text_pair_column=b", "task.label_column=score")
    settings += ("model.steps=[{step: import-checkpoint, head: mean}]",)
    score_of = {f"{row['a']}\n{row['b']}": row["score"] for row in rows if row["split"] == "test"}
    vectors = dict(zip(TEXTS, _vectors(encoder, TEXTS), strict=True))
    for technique, tolerance in (("torch-eager", 1e-5), ("onnx-static-int8", 0.2)):
        found = _prepare(monkeypatch, tmp_path, encoder, *settings, f"technique={technique}")
        assert dict(zip(found["texts"], found["label"], strict=True)) == score_of
        for text, (cosine,) in zip(found["texts"], found["logits"], strict=True):
            expected = _cosine(*(vectors[part] for part in text.split("\n")))
            assert cosine == pytest.approx(expected, abs=tolerance)
        assert not found["pairs"], "an encoder takes one text at a time"
    notes = [record["notes"] for record in found["lineage"]]
    assert [n["calibration_split"] for n in notes if "calibration_split" in n] == ["train"]
