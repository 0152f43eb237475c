"""A sweep of a model that tags words, from the file of its texts to the tables and the report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from runner.config.task_kinds import TOKENS
from runner.engines.checkpoint import load_checkpoint
from runner.report.write import write_report
from runner.results.tables import Tables, read_tables
from runner.tasks.texts import Example, Texts, write_texts
from tests.techniques.conftest import save_random

ROOT = Path(__file__).parents[2]
TECHNIQUES = ["torch-eager", "torch-int8", "onnx-int8", "layers-half", "openvino"]
TAGS = ["B-PER", "I-PER", "O"]
TEXTS = [["Ada", "Lovelace", *["wrote"] * number, "extraordinarily"] for number in range(4, 16)]
MAX_LENGTH = 16  # of the workload: the last texts are cut


def _tags(words: list[str]) -> list[str]:
    return [{"Ada": "B-PER", "Lovelace": "I-PER"}.get(word, "O") for word in words]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose weights are random, but which the sweep takes for a trained one."""
    place = tmp_path_factory.mktemp("tagger")
    (place / "texts").mkdir()
    texts = [Example(" ".join(w), tuple(map(TAGS.index, _tags(w))), words=tuple(w)) for w in TEXTS]
    write_texts(Texts(TAGS, [], [], texts, kind=TOKENS), place / "texts")
    return save_random(place / "model", place / "texts", "bert")


@pytest.fixture(scope="module")
def swept(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    place = tmp_path_factory.mktemp("tagged")
    rows = [{"tokens": words, "tags": _tags(words), "split": "test"} for words in TEXTS]
    (place / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"model": "folder", "model.path": model, "task": "file", "task.path": place / "texts.jsonl"}
    settings |= {"task.kind": "tokens", "task.text_column": "tokens", "task.label_column": "tags"}
    settings |= {"isolation": "process", "measure.rounds": 1, "store": place / "store"}
    command = [sys.executable, "-m", "runner", "-m", "grid=smoke", f"hydra.sweep.dir={place / 'sweep'}"]
    command += [f"grid.union=[{{technique: [{', '.join(TECHNIQUES)}]}}]"]
    command += [f"{key}={value}" for key, value in settings.items()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return read_tables(place / "sweep")


def test_every_word_is_predicted_by_its_first_token(swept: Tables, model: Path) -> None:
    rows = [row for row in swept.predictions.read().to_pylist() if row["technique"] == "torch-eager"]
    assert len(rows) == sum(map(len, TEXTS))
    tokenizer, loaded = Tokenizer.from_file(str(model / "tokenizer.json")), load_checkpoint(model)
    tokenizer.enable_truncation(MAX_LENGTH)
    by_text = {tuple(words): [row for row in rows if row["of_text"] == of] for of, words in _order(rows).items()}
    assert {len(own) for own in by_text.values()} == set(map(len, TEXTS))
    cut = 0
    for words, own in by_text.items():
        encoding = tokenizer.encode(words, is_pretokenized=True)
        with torch.inference_mode():
            logits = loaded(torch.tensor([encoding.ids]), torch.tensor([encoding.attention_mask])).logits[0]
        expected = logits.softmax(-1).numpy()
        for place, row in enumerate(own):
            if place in encoding.word_ids:
                np.testing.assert_allclose(row["probabilities"], expected[encoding.word_ids.index(place)], atol=1e-5)
            else:
                assert row["prediction"] is None
                cut += 1
    assert cut > 0


def _order(rows: list[dict[str, object]]) -> dict[int, list[str]]:
    """Return the words of each text, by its number: the word in brackets, row by row."""
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(int(str(row["of_text"])), []).append(str(row["text"]).partition("[")[2].partition("]")[0])
    return found


def test_the_summary_judges_words(swept: Tables) -> None:
    rows = {row["technique"]: row for row in swept.summary.to_pylist()}
    assert set(rows) == set(TECHNIQUES)
    assert {row["status"] for row in rows.values()} == {"ok"}
    for row in rows.values():
        assert row["examples"] == sum(map(len, TEXTS))
        assert row["accuracy_low"] < row["accuracy"] < row["accuracy_high"]
        assert row["entity_f1"] is not None
        assert row["batch_examples"] < row["examples"], "words that were cut off are not compared"
    assert rows["openvino"]["agreement"] == 1
    assert rows["openvino"]["batch_changed_predictions"] == 0
    assert rows["layers-half"]["agreement"] < 1


def test_the_report_shows_them(swept: Tables) -> None:
    write_report(swept.folder)
    said = (swept.folder / "report.md").read_text()
    assert "Entity F1" in said
    assert re.search(r"\\\[\w+\\\]", said), "a word whose prediction changed, among those around it"
