"""Every architecture is exported and pruned as in `python -m tests.architectures`, and its page agrees."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoModel, AutoModelForSequenceClassification

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.tasks.texts import read_split
from tests.architectures.__main__ import PAGE
from tests.architectures.builder import TinyBuilder
from tests.architectures.models import TINY, save_tiny
from tests.architectures.table import TECHNIQUES, WORKS, outcome, reason
from tests.techniques.conftest import apply_step, random_logits, texts

pytestmark = pytest.mark.architectures

__all__ = ["texts"]  # a fixture

QUICK = ["onnx", "onnx-first-token", "heads-50", "ffn-50", "layers-half", "svd-192", "vocab-trimmed"]
BESIDES = {"modernbert": ["openvino"]}  # padding far from a text, to which its tokens do not attend


@pytest.fixture(scope="module")
def builder(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyBuilder:
    return TinyBuilder(tmp_path_factory.mktemp("builder"), texts)


@pytest.fixture(params=TINY)
def folder(request: pytest.FixtureRequest, builder: TinyBuilder, tmp_path: Path) -> Path:
    """A tiny model of each architecture in turn, as `save_pretrained` writes it."""
    return save_tiny(
        tmp_path / "model", request.param, [example.text for example in read_split(builder.texts, "train")]
    )


def _on_the_page(technique: str, model_type: str) -> str:
    (row,) = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{technique}` |")]
    return row.split("|")[2:-1][list(TINY).index(model_type)].strip()


def test_what_the_page_says_is_so(folder: Path, builder: TinyBuilder) -> None:
    original = builder.import_model(folder, trained=False)
    model_type = json.loads((folder / "config.json").read_text())["model_type"]
    loaded, stock = load_checkpoint(original), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert (random_logits(loaded) - random_logits(stock)).abs().max() < 1e-6
    page = PAGE.read_text(encoding="utf-8")
    for technique in (*QUICK, *BESIDES.get(model_type, [])):
        result = outcome(builder, technique, original)
        assert not result.startswith("WRONG"), technique
        on_page = _on_the_page(technique, model_type)
        assert on_page == "–" or (result == WORKS) == (on_page == "✓"), technique
        assert on_page == "–" or result == WORKS or reason(result, model_type) in page


def test_labels_in_another_order_are_put_into_the_task_s(folder: Path, builder: TinyBuilder, tmp_path: Path) -> None:
    """The head's last layer has another name in nearly every architecture."""
    config = json.loads((folder / "config.json").read_text())
    names = ["positive", "negative", "neutral"]
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: id for id, name in enumerate(names)}}
    (folder / "config.json").write_text(json.dumps(config))
    stock = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    loaded = load_checkpoint(builder.import_model(folder, trained=False))
    assert (random_logits(loaded) - random_logits(stock)[:, [1, 2, 0]]).abs().max() < 1e-6


def test_an_encoder_without_a_head_is_given_a_new_one(folder: Path, texts: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    AutoModel.from_pretrained(folder).save_pretrained(base)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, base)
    with pytest.raises(UserError, match="the files hold no classification head"):
        apply_step(tmp_path / "load", base, texts, step="import-checkpoint")
    made, _ = apply_step(tmp_path / "new", base, texts, step="import-checkpoint", head="new")
    assert load_checkpoint(made).config.num_labels == 3


def test_the_page_is_whole() -> None:
    cells = {_on_the_page(technique, model_type) for technique in TECHNIQUES for model_type in TINY}
    assert "✓" in cells
    assert all(
        f"`{example}`" in PAGE.read_text(encoding="utf-8") for tiny in TINY.values() for example in tiny.examples
    )
