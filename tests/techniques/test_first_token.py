"""Leaving out what no classifier reads does not change the logits, and lowers the FLOPs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.models.flops import count_flops
from runner.techniques.chain import make_step
from runner.techniques.onnx.onnx_export import exported
from runner.techniques.shape import Shape
from runner.techniques.torch.first_token import read_first_token
from tests.techniques.conftest import apply_step, random_logits

STEPS = ["onnx-export", "quantization-aware-training"]


def test_logits_stay_the_same(checkpoint: Path) -> None:
    model = load_checkpoint(checkpoint, "eager")
    before = random_logits(model)
    read_first_token(model)
    torch.testing.assert_close(random_logits(model), before)


def test_a_pruned_model_s_logits_stay_the_same(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    pruned, _ = apply_step(tmp_path / "p", checkpoint, texts, step="head-pruning", fraction=0.5, criterion="random")
    factorised, _ = apply_step(tmp_path / "f", pruned, texts, step="low-rank", rank=8, attention=True)
    model = load_checkpoint(factorised, "eager")
    before = random_logits(model)
    read_first_token(model)
    torch.testing.assert_close(random_logits(model), before)


def test_the_exported_graph_computes_less(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    """`onnx-export` itself compares its logits with the checkpoint's on other shapes."""
    made, notes = apply_step(tmp_path / "made", checkpoint, texts, step="onnx-export", first_token=True)
    assert notes["largest_logit_difference"] < 1e-5
    graph = onnx.load(made / "model.onnx")
    last = next(node for node in graph.graph.node if node.name.endswith("layer.1/intermediate/dense/MatMul"))
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(last.output[0]))
    onnx.save(graph, tmp_path / "seen.onnx")
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "seen.onnx", providers=["CPUExecutionProvider"])
    ids = np.full((2, 9), 7)
    _, state = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert state.shape == (2, 1, 64)


def test_int8_after_training_keeps_its_ranges(bert: Path, texts: Path, tmp_path: Path) -> None:
    settings = {"step": "quantization-aware-training", "learning_rate": 1e-3, "batch_size": 16}
    logits = []
    for first_token in (False, True):
        made, _ = apply_step(tmp_path / str(first_token), bert, texts, **settings, first_token=first_token)
        run = exported(made / "model.onnx")
        ones = torch.ones((2, 9), dtype=torch.int64)
        logits.append(run(input_ids=7 * ones, attention_mask=ones))
    torch.testing.assert_close(*logits, atol=1e-4, rtol=0)


def test_it_is_counted(bert: Path) -> None:
    """The tiny BERT has two layers, hidden 32, four heads of 8, 64 neurons and three labels."""
    whole, less = count_flops(bert), count_flops(bert, first_token_only=True)
    assert whole is not None
    assert less is not None
    layer = 2 * (4 * 32 * 32 + 2 * 32 * 64)
    keys_and_values = 2 * 2 * 32 * 32
    assert less.per_token == whole.per_token - layer + keys_and_values + 4 * 32
    assert less.per_example == whole.per_example + layer - keys_and_values
    assert less.per_token_squared * 2 == whole.per_token_squared
    assert less.of(1) == whole.of(1)  # with a single token, nothing is left out


@pytest.mark.parametrize("step", STEPS)
def test_another_attention_is_refused_when_composed(step: str) -> None:
    assert make_step({"step": step}, "test").infer_shape(Shape(model_type="mpnet")) == Shape(model_type="mpnet")
    with pytest.raises(UserError, match=f"step '{step}': first_token is true, but the model_type is mpnet"):
        make_step({"step": step, "first_token": True}, "test").infer_shape(Shape(model_type="mpnet"))
