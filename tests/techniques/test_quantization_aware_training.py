"""The int8 model computes what was trained, and training compensates for the errors of rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from runner.engines.checkpoint import load_checkpoint, save_checkpoint
from runner.engines.onnxruntime import Engine
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import read_split
from runner.techniques.chain import check_chain, make_chain, make_step
from runner.techniques.onnx.onnx_export import exported
from runner.techniques.torch.tracing import Logits
from runner.techniques.training.batches import Batches
from runner.techniques.training.distil import soft_loss
from runner.techniques.training.fake_quantization import (
    FakeQuantizedLinear,
    MovingRange,
    fake_quantize,
    input_ranges,
    round_rows,
    round_to_range,
)
from runner.techniques.training.quantization_aware_training import quantize
from tests.techniques.conftest import apply_step
from tests.techniques.onnx_models import batch, export

QUICK: dict[str, Any] = {"step": "quantization-aware-training", "epochs": 1, "batch_size": 16}


@pytest.fixture(scope="module")
def trained(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that has learnt the task."""
    settings: Any = {"step": "fine-tune", "epochs": 3, "learning_rate": 5e-3, "batch_size": 16, "dropout": 0.0}
    return apply_step(tmp_path_factory.mktemp("trained") / "t", bert, texts, **settings)[0]


@pytest.fixture(scope="module")
def outlying(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model, but one value of each attention head is 200 times as large and has 1/200 of the weight."""
    model: Any = load_checkpoint(trained)
    with torch.no_grad():
        for layer in model.base_model.encoder.layer:
            outlier = slice(None, None, layer.attention.self.attention_head_size)
            layer.attention.self.value.weight[outlier] *= 200
            layer.attention.self.value.bias[outlier] *= 200
            layer.attention.output.dense.weight[:, outlier] /= 200
    folder = tmp_path_factory.mktemp("outlying")
    save_checkpoint(model, folder, tokenizer_from=trained)
    return folder


def matrices(folder: Path) -> dict[str, list[np.ndarray]]:
    """Return the two-dimensional weights, by type."""
    by_type: dict[str, list[np.ndarray]] = {}
    for tensor in onnx.load(folder / "model.onnx").graph.initializer:
        if len(tensor.dims) == 2:
            array = numpy_helper.to_array(tensor)
            by_type.setdefault(str(array.dtype), []).append(array)
    return by_type


def logits_and_labels(run: Any, checkpoint: Path, texts: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a model's logits of the test texts in one batch, and their labels."""
    together = next(Batches(checkpoint, read_split(texts, "test"), 64, load_checkpoint(checkpoint).config).in_order(60))
    labels = together.pop("labels")
    with torch.inference_mode():
        return run(**together), labels


def test_masked_words_can_be_learned_beside(trained: Path, texts: Path, tmp_path: Path) -> None:
    _, notes = apply_step(tmp_path / "q", trained, texts, **QUICK, masked_weight=1)
    assert notes["validation_accuracy"] > 0.9


@pytest.mark.parametrize("embeddings", [True, False])
def test_what_was_trained_is_what_runs(checkpoint: Path, texts: Path, tmp_path: Path, embeddings: bool) -> None:
    model = load_checkpoint(checkpoint)
    fake_quantize(model, reduce_range=True, embeddings=embeddings)
    logits_and_labels(Logits(model.train()), checkpoint, texts)
    quantize(model, checkpoint, tmp_path / "model.onnx", reduce_range=True, embeddings=embeddings)
    runs = {
        "rounded": Logits(model.eval()),
        "plain": Logits(load_checkpoint(checkpoint)),
        "int8": exported(tmp_path / "model.onnx"),
    }
    logits = {name: logits_and_labels(run, checkpoint, texts)[0] for name, run in runs.items()}
    assert (logits["int8"] - logits["rounded"]).abs().mean() < 0.2 * (logits["int8"] - logits["plain"]).abs().mean()
    torch.testing.assert_close(logits["int8"], logits["rounded"], atol=0.01, rtol=0)


def test_the_scales_are_those_learnt(bert: Path, texts: Path, tmp_path: Path) -> None:
    model = load_checkpoint(bert)
    fake_quantize(model, reduce_range=True, embeddings=True)
    logits_and_labels(Logits(model.train()), bert, texts)
    quantize(model, bert, tmp_path / "model.onnx", reduce_range=True, embeddings=True)
    graph = onnx.load(tmp_path / "model.onnx").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] not in constants]
    activations = [node for node in inputs if "embeddings" not in node.input[0] or "LayerNorm" in node.input[0]]
    learnt = {np.float32((high - low) / 255) for low, high in input_ranges(model).values()}
    assert {np.float32(constants[node.input[1]]) for node in activations} == learnt
    assert len(learnt) == 2 * 4 + 2  # query, key and value share one input


@pytest.mark.slow
def test_types_and_sizes_of_weights(trained: Path, texts: Path, tmp_path: Path) -> None:
    seven, _ = apply_step(tmp_path / "seven", trained, texts, **QUICK)
    eight, _ = apply_step(tmp_path / "eight", trained, texts, **QUICK, reduce_range=False)
    whole, _ = apply_step(tmp_path / "whole", trained, texts, **QUICK, embeddings=False)
    assert {name: len(arrays) for name, arrays in matrices(seven).items()} == {"int8": 14, "uint8": 3}
    assert {name: len(arrays) for name, arrays in matrices(whole).items()} == {"int8": 14, "float32": 3}
    assert max(np.abs(weights.astype(int)).max() for weights in matrices(seven)["int8"]) == 64
    assert max(np.abs(weights.astype(int)).max() for weights in matrices(eight)["int8"]) == 127
    assert all((table.min(), table.max()) == (0, 255) for table in matrices(seven)["uint8"])
    assert [path.name for path in seven.iterdir()] == ["model.onnx"]


def test_products_are_in_int8(trained: Path, texts: Path, tmp_path: Path) -> None:
    made, notes = apply_step(tmp_path / "made", trained, texts, **QUICK)
    engine = Engine(made, 1)
    assert engine.precision(engine.prepare(*batch(1, 8))) == "int8"
    assert notes["median_logit_difference"] < 1e-4


@pytest.mark.slow
def test_makes_up_for_what_static_int8_loses(outlying: Path, texts: Path, tmp_path: Path) -> None:
    before, labels = logits_and_labels(Logits(load_checkpoint(outlying)), outlying, texts)
    graph = export(outlying, texts, tmp_path / "graph")
    static, _ = apply_step(
        tmp_path / "static", graph, texts, outlying, step="onnx-static-int8", reduce_range=True, samples=40
    )
    without, _ = logits_and_labels(exported(static / "model.onnx"), outlying, texts)
    for seed in range(3):
        settings = QUICK | {"epochs": 2, "learning_rate": 1e-3, "seed": seed}
        made, _ = apply_step(tmp_path / f"made{seed}", outlying, texts, **settings)
        learnt, _ = logits_and_labels(exported(made / "model.onnx"), outlying, texts)
        right, right_without = ((logits.argmax(-1) == labels).float().mean() for logits in (learnt, without))
        assert right >= right_without
        assert soft_loss(learnt, before, temperature=1) < 0.5 * soft_loss(without, before, temperature=1)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(trained: Path, texts: Path, tmp_path: Path) -> None:
    contents = [
        folder_sha256(apply_step(tmp_path / str(number), trained, texts, **QUICK, seed=seed)[0])
        for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


def test_rounding_has_the_gradient_of_doing_nothing_within_the_range() -> None:
    values = torch.tensor([-3.0, -0.9, 0.0, 0.31, 4.0], requires_grad=True)
    rounded = round_to_range(values, torch.tensor(-1.0), torch.tensor(1.55))
    (gradient,) = torch.autograd.grad(rounded.sum(), values)
    torch.testing.assert_close(rounded, torch.tensor([-1.0, -0.9, 0.0, 0.31, 1.55]))
    assert gradient.tolist() == [0, 1, 1, 1, 0]


def test_every_row_has_its_own_step() -> None:
    weights = torch.tensor([[64.0, -10.4, 0.6], [0.64, -0.104, 0.006], [0.0, 0.0, 0.0]], requires_grad=True)
    rounded = round_rows(weights, 64)
    (gradient,) = torch.autograd.grad(rounded.sum(), weights)
    torch.testing.assert_close(rounded, torch.tensor([[64.0, -10, 1], [0.64, -0.10, 0.01], [0, 0, 0]]))
    assert (gradient == 1).all()


def test_a_range_follows_the_batches_in_training_alone() -> None:
    moving = MovingRange()
    moving(torch.tensor([2.0, 10.0]))
    assert (moving.low.item(), moving.high.item()) == (0, 10)  # the range always includes 0
    moving(torch.tensor([-1.0, 20.0]))
    assert (moving.low.item(), moving.high.item()) == pytest.approx((-0.01, 10.1))
    moving.eval()(torch.tensor([-100.0, 100.0]))
    assert moving.high.item() == pytest.approx(10.1)


def test_the_weights_that_are_trained_are_the_models_own(bert: Path) -> None:
    model: Any = load_checkpoint(bert)
    weight = model.classifier.weight
    fake_quantize(model, reduce_range=True, embeddings=True)
    assert isinstance(model.classifier, FakeQuantizedLinear)
    assert any(parameter is weight for parameter in model.parameters())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"soft_weight": 0, "hard_weight": 0, "hidden_weight": 0}, "quantization-aware-training.*all 0"),
        ({"epochs": 0}, "step 'quantization-aware-training': epochs is 0, but must be above 0"),
        ({"bits": 4}, "step 'quantization-aware-training' has no key 'bits'"),
    ],
)
def test_bad_settings_are_refused_when_composed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step(QUICK | settings, "test")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["onnx-export", "quantization-aware-training"], "takes checkpoint, but the step before it, 'onnx-export'"),
        (["quantization-aware-training", "onnx-dynamic-int8"], "cannot come after 'quantization-aware-training'"),
        (["torch-dynamic-int8", "quantization-aware-training"], "takes checkpoint, but"),
        (["bfloat16", "quantization-aware-training"], "cannot come after 'bfloat16'"),
    ],
)
def test_chains_that_do_not_join_are_refused(steps: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_chain(make_chain([{"step": name} for name in steps], "test"), "onnx", "test")


def test_a_task_without_labels_is_refused(trained: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the task has no labelled texts to train on"):
        apply_step(tmp_path / "made", trained, unlabelled, **QUICK)
