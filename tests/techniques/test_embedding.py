"""Models without a head make a text's vector of its tokens' vectors, and every step keeps it near."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from runner.engines.checkpoint import Embedder, load_checkpoint
from runner.errors import UserError
from tests.techniques.conftest import apply_step, random_logits, save_random
from tests.techniques.onnx_models import logits


@pytest.fixture(scope="module")
def model(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("embedder") / "model", plain, "bert")


def _inputs() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(5, 250, (3, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    return ids, mask


def test_a_vector_is_the_mean_of_the_tokens_that_are_no_padding(model: Path) -> None:
    loaded = load_checkpoint(model)
    assert isinstance(loaded, Embedder)
    ids, mask = _inputs()
    with torch.inference_mode():
        states = loaded.encoder(ids, attention_mask=mask).last_hidden_state
        vectors = loaded(ids, mask).logits
    assert torch.allclose(vectors[1], states[1, :6].mean(0), atol=1e-6)
    assert torch.allclose(vectors[0], states[0].mean(0), atol=1e-6)
    assert not any("pooler" in name for name, _ in loaded.named_parameters())


@pytest.mark.parametrize("head", ["mean", "first"])
def test_a_classifier_s_files_and_an_encoder_s_are_imported_without_a_head(
    head: str, texts: Path, plain: Path, tmp_path: Path
) -> None:
    source = save_random(tmp_path / "source", texts, "bert")
    made, notes = apply_step(tmp_path / "made", source, plain, step="import-checkpoint", head=head)
    assert notes == {"head": head, "labels": []}
    ids, mask = _inputs()
    with torch.inference_mode():
        states = AutoModel.from_pretrained(source).eval()(ids, attention_mask=mask).last_hidden_state
        vectors = load_checkpoint(made)(ids, mask).logits
    assert torch.allclose(vectors[0], states[0].mean(0) if head == "mean" else states[0, 0], atol=1e-5)
    encoder = tmp_path / "encoder"
    AutoModel.from_pretrained(source).save_pretrained(encoder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (encoder / name).write_bytes((source / name).read_bytes())
    other, _ = apply_step(tmp_path / "other", encoder, plain, step="import-checkpoint", head=head)
    assert (other / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()


def test_an_encoder_that_lacks_a_part_is_refused(texts: Path, plain: Path, tmp_path: Path) -> None:
    source = save_random(tmp_path / "source", texts, "bert")
    state = load_file(source / "model.safetensors")
    del state["bert.encoder.layer.1.output.dense.weight"]
    save_file(state, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"1 tensors are missing or of another size, such as encoder\.layer\.1"):
        apply_step(tmp_path / "made", source, plain, step="import-checkpoint", head="mean")


@pytest.mark.parametrize("step", ["torchscript", "openvino-export", "torch-dynamic-int8", "bfloat16"])
def test_exports_give_the_same_vectors(step: str, model: Path, plain: Path, tmp_path: Path) -> None:
    _, notes = apply_step(tmp_path / "made", model, plain, step=step)
    assert notes["largest_logit_difference"] < 0.1


def test_a_graph_gives_the_same_vectors_also_in_int8(model: Path, plain: Path, tmp_path: Path) -> None:
    graph, _ = apply_step(tmp_path / "graph", model, plain, step="onnx-export")
    int8, _ = apply_step(tmp_path / "int8", graph, plain, step="onnx-dynamic-int8")
    static, _ = apply_step(tmp_path / "static", graph, plain, checkpoint=model, step="onnx-static-int8")
    expected = random_logits(load_checkpoint(model)).numpy()
    ids = torch.randint(5, 300, (3, 11), generator=torch.Generator().manual_seed(0)).numpy()
    mask = np.ones_like(ids)
    mask[1, 6:] = 0
    for folder, tolerance in ((graph, 1e-5), (int8, 0.2), (static, 0.2)):
        np.testing.assert_allclose(logits(folder, ids, mask), expected, atol=tolerance)


@pytest.mark.parametrize(
    "entry",
    [
        {"step": "head-pruning", "fraction": 0.5},
        {"step": "ffn-pruning", "fraction": 0.5},
        {"step": "layer-pruning", "keep": 1},
        {"step": "low-rank", "rank": 8},
        {"step": "vocabulary-trimming"},
    ],
)
def test_what_makes_it_smaller_needs_no_head(entry: dict[str, Any], model: Path, plain: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "made", model, plain, **entry)
    loaded = load_checkpoint(made)
    assert isinstance(loaded, Embedder)
    assert json.loads((made / "config.json").read_text())["vector_pooling"] == "mean"
    with torch.inference_mode():
        assert loaded(torch.tensor([[0, 1, 2]]), torch.ones(1, 3, dtype=torch.int64)).logits.shape == (1, 32)


def test_there_is_nothing_to_train_on(model: Path, plain: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the task has no labelled texts to train on"):
        apply_step(tmp_path / "tuned", model, plain, step="fine-tune")
