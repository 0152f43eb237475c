"""The control: an error anywhere between a model's files and its logits is a status, and an honest job is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel

import runner.engines.torch
from tests.architectures.models import save_tiny
from tests.sweep.control import plants
from tests.sweep.control.here import Spoil, prepare_here

WORDS = ["Rain", "Sun", "rivers", "Moon", "windy", "good", "Bad", "table", "letters", "sunday", "[MASK]"]
TEXTS = [" ".join(WORDS[(i * j) % len(WORDS)] for j in range(1, 3 + i % 9)) + f" text{i}" for i in range(44)]


def _write(folder: Path, model_type: str = "bert", **columns: list[Any]) -> Path:
    """Write a tiny model whose labels come in another order than the task's, and texts, into `folder`."""
    save_tiny(folder / "model", model_type, [text.lower().replace("[mask]", "") for text in TEXTS])
    _edit(folder / "model" / "config.json", id2label={"0": "positive", "1": "negative", "2": "neutral"})
    _edit(folder / "model" / "config.json", label2id={"positive": 0, "negative": 1, "neutral": 2})
    labels = [("negative", "neutral", "positive")[number % 3] for number in range(len(TEXTS))]
    written = {"text": TEXTS, "label": labels, "split": ["test"] * len(TEXTS)} | columns
    rows = [dict(zip(written, row, strict=True)) for row in zip(*written.values(), strict=True)]
    (folder / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("bert"))


@pytest.mark.parametrize("technique", ["torch-eager", "onnx", "onnx-int8"])
def test_an_honest_job_is_ok(technique: str, bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready, _ = prepare_here(monkeypatch, bert, f"technique={technique}")
    assert ready.status == "ok", ready.error
    control = ready.control
    assert (control.of, control.texts) == ("model" if technique == "onnx-int8" else "job", 36)
    assert control.largest_difference is not None
    assert control.largest_difference < 1e-5


PLANTED: dict[str, Spoil] = {
    "a wrong tokenizer flag": plants.tokenizer(lambda content: content["normalizer"].update(lowercase=False)),
    "swapped labels": plants.weights(plants.swapped_labels),
    "an added token dropped": plants.tokenizer(lambda content: content["added_tokens"].pop()),
    "float16 weights": plants.weights(plants.in_float16),
    "another epsilon": plants.config(layer_norm_eps=1e-3),
    "a layer missing": plants.skipped_layer,
    "another activation": plants.config(hidden_act="relu"),
    "positions shifted": plants.weights(plants.shifted_positions),
}


@pytest.mark.parametrize("error", PLANTED)
def test_an_error_in_what_was_imported_is_told(error: str, bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready, log = prepare_here(monkeypatch, bert, "technique=torch-eager", spoil=PLANTED[error])
    assert ready.status == "wrong", error
    assert "predictions differ from transformers' own on" in (ready.error or "")
    assert any(text in log for text in TEXTS)


def test_a_mask_given_as_token_types_is_told(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Any, batch: dict[str, torch.Tensor]) -> Any:
        with torch.inference_mode():
            return self._model(input_ids=batch["input_ids"], token_type_ids=batch["attention_mask"])

    monkeypatch.setattr(runner.engines.torch.Engine, "run", run)
    ready, log = prepare_here(monkeypatch, bert, "technique=torch-eager")
    assert ready.status == "wrong"
    assert any(text in log for text in TEXTS)


def test_what_is_made_of_a_wrong_model_is_wrong(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil = PLANTED["swapped labels"]
    ready, _ = prepare_here(monkeypatch, bert, "technique=onnx-int8", spoil=spoil)
    assert ready.status == "wrong"
    assert (ready.error or "").startswith("the model from which it was made, without the technique: predictions")


def test_the_padding_id_of_a_model_that_counts_positions_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _write(tmp_path, "roberta")
    short = ("technique=torch-eager", "workload.max_length=16")
    assert prepare_here(monkeypatch, folder, *short)[0].status == "ok"
    ready, _ = prepare_here(monkeypatch, folder, *short, spoil=plants.config(pad_token_id=3))
    assert ready.status == "wrong"


def test_the_second_text_of_a_pair_has_a_type_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _write(tmp_path, other=TEXTS[::-1])
    names = ["input_ids", "token_type_ids", "attention_mask"]
    _edit(folder / "model" / "tokenizer_config.json", model_input_names=names)
    pairs = ("technique=torch-eager", "task.text_pair_column=other", "workload.max_length=16")
    assert prepare_here(monkeypatch, folder, *pairs)[0].status == "ok"
    ready, _ = prepare_here(monkeypatch, folder, *pairs, spoil=plants.config(takes_token_types=False))
    assert ready.status == "wrong"


def test_how_vectors_are_pooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _write(tmp_path)
    model = folder / "model"
    AutoModel.from_pretrained(model).save_pretrained(model)
    settings = ("technique=onnx", "task.kind=embedding", "task.label_column=null")
    for head, other in (("mean", "first"), ("first", "mean")):
        steps = f"model.steps=[{{step: import-checkpoint, head: {head}}}]"
        assert prepare_here(monkeypatch, folder, *settings, steps)[0].status == "ok"
        ready, log = prepare_here(monkeypatch, folder, *settings, steps, spoil=plants.config(vector_pooling=other))
        assert ready.status == "wrong"
        assert "a vector" in log


def test_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForTokenClassification

    tags = ["B-X", "I-X", "O"]
    folder = _write(
        tmp_path,
        text=[text.split() for text in TEXTS],
        label=[[*tags, *["O"] * 9][: len(text.split())] for text in TEXTS],
    )
    model = folder / "model"
    config = AutoConfig.from_pretrained(model, id2label=dict(enumerate(tags)))
    AutoModelForTokenClassification.from_config(config).save_pretrained(model)
    settings = ("technique=torch-eager", "task.kind=tokens", "workload.max_length=8")
    ready, _ = prepare_here(monkeypatch, folder, *settings)
    assert ready.status == "ok", ready.error
    ready, log = prepare_here(monkeypatch, folder, *settings, spoil=PLANTED["a wrong tokenizer flag"])
    assert ready.status == "wrong"
    assert " (in: " in log


def test_a_model_that_pinbox_trained_is_compared_from_its_own_checkpoint(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = ("model=tiny", "technique=torchscript")
    ready, _ = prepare_here(monkeypatch, bert, *random)
    assert ready.status == "ok", ready.error
    assert ready.control.texts == 36


def test_what_transformers_cannot_load_is_not_compared(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned = "model.steps=[{step: import-checkpoint}, {step: head-pruning, fraction: 0.5}]"
    ready, _ = prepare_here(monkeypatch, bert, "technique=torch-eager", pruned)
    assert ready.status == "ok", ready.error
    assert ready.control.reason


def test_it_can_be_switched_off(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil = PLANTED["swapped labels"]
    ready, _ = prepare_here(monkeypatch, bert, "technique=torch-eager", "control_texts=0", spoil=spoil)
    assert (ready.status, ready.control) == ("ok", None)
