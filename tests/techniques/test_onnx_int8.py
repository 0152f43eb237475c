"""ONNX models are quantized to dynamic and static int8."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from runner.errors import UserError
from runner.tasks.texts import read_split
from runner.techniques.chain import make_step
from tests.techniques.conftest import apply_step
from tests.techniques.onnx_models import alone_and_together, difference, export

INT8, UINT8 = onnx.TensorProto.INT8, onnx.TensorProto.UINT8


@pytest.fixture(scope="module")
def plain(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT as a plain ONNX graph."""
    return export(bert, texts, tmp_path_factory.mktemp("plain") / "onnx")


def static(target: Path, plain: Path, checkpoint: Path, texts: Path, **entry: Any) -> tuple[Path, dict[str, Any]]:
    """Run the static step, which reads a tokenizer."""
    return apply_step(target, plain, texts, checkpoint, step="onnx-static-int8", **entry)


def matrices(folder: Path) -> Counter[int]:
    """Count the two-dimensional weights by type."""
    return Counter(t.data_type for t in onnx.load(folder / "model.onnx").graph.initializer if len(t.dims) == 2)


def test_weight_types(plain: Path, texts: Path, tmp_path: Path) -> None:
    signed, _ = apply_step(tmp_path / "signed", plain, texts, step="onnx-dynamic-int8")
    unsigned, _ = apply_step(tmp_path / "unsigned", plain, texts, step="onnx-dynamic-int8", weight_type="uint8")
    products, embeddings = 14, 3  # those of words, positions and token types, whose type is that of activations
    assert matrices(signed) == {INT8: products, UINT8: embeddings}
    assert matrices(unsigned) == {UINT8: products + embeddings}
    assert 0 < difference(plain, unsigned) < 0.02


def test_every_column_has_its_scale(plain: Path, texts: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "made", plain, texts, step="onnx-dynamic-int8", per_channel=True)
    tensors = {tensor.name: list(tensor.dims) for tensor in onnx.load(made / "model.onnx").graph.initializer}
    weights = [name for name, dims in tensors.items() if len(dims) == 2 and "MatMul" in name]
    assert len(weights) == 12
    assert all(tensors[name.replace("_quantized", "_scale")] == tensors[name][1:] for name in weights)
    assert 0 < difference(plain, made) < 0.1


def test_embeddings_stay_as_they_are(plain: Path, texts: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "made", plain, texts, step="onnx-dynamic-int8", embeddings=False)
    assert matrices(made) == {INT8: 14, onnx.TensorProto.FLOAT: 3}


@pytest.mark.parametrize("method", ["min-max", "entropy", "percentile"])
def test_static_int8_is_near(method: str, plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    made, notes = static(tmp_path / "made", plain, bert, texts, method=method, samples=40, reduce_range=True)
    assert notes == {"calibration_texts": 40, "calibration_split": "train"}
    assert 0 < difference(plain, made) < 0.1
    assert (made / "model.onnx").stat().st_size < 0.7 * (plain / "model.onnx").stat().st_size
    assert matrices(made) == {INT8: 14, UINT8: 3}


@pytest.mark.slow
def test_methods_differ(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    entries: list[dict[str, Any]] = [
        {"method": "min-max"},
        {"method": "entropy"},
        {"method": "percentile"},
        {"method": "percentile", "percentile": 99.0},
        {"samples": 20},
        {"max_length": 4},
        {"per_channel": False},
        {"reduce_range": True},
        {"weight_type": "uint8"},
        {"activation_type": "int8"},
        {"embeddings": False},
    ]
    made = [
        static(tmp_path / str(number), plain, bert, texts, **({"samples": 40} | entry))[0]
        for number, entry in enumerate(entries)
    ]
    assert len({(folder / "model.onnx").read_bytes() for folder in made}) == len(entries)


def test_static_int8_gives_the_same_bytes_again(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    first, second = (static(tmp_path / name, plain, bert, texts, samples=20)[0] for name in ("first", "second"))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()


def test_static_int8_does_not_depend_on_the_batch(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    made, _ = static(tmp_path / "static", plain, bert, texts, samples=40)
    dynamic, _ = apply_step(tmp_path / "dynamic", plain, texts, step="onnx-dynamic-int8")
    assert alone_and_together(made) < 1e-5
    assert alone_and_together(dynamic) > 1e-4


def test_only_products_read_rounded_activations(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    made, _ = static(tmp_path / "made", plain, bert, texts, samples=20, embeddings=False)
    nodes = onnx.load(made / "model.onnx").graph.node
    rounded = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    readers = {node.op_type for node in nodes if rounded.intersection(node.input)}
    assert readers == {"MatMul", "Gemm"}  # but no residual connection


def test_tables_of_embeddings_keep_8_bits(plain: Path, bert: Path, texts: Path, tmp_path: Path) -> None:
    made, _ = static(tmp_path / "made", plain, bert, texts, samples=20, reduce_range=True)
    tensors = onnx.load(made / "model.onnx").graph.initializer
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in tensors if len(tensor.dims) == 2]
    assert all(array.max() == (255 if array.dtype == np.uint8 else 64) for array in arrays)


def test_calibration_takes_training_texts(texts: Path, unlabelled: Path) -> None:
    from runner.techniques.onnx.onnx_static_int8 import calibration_texts

    assert calibration_texts(texts, 5) == ("train", [example.text for example in read_split(texts, "train")[:5]])
    assert calibration_texts(unlabelled, 5) == ("test", ["one text", "and another"])


def test_calibration_texts_are_cut_and_not_padded(bert: Path) -> None:
    from runner.techniques.onnx.onnx_static_int8 import encode

    calls = encode(["word1", "word1 word2 word3 word4"], bert, 6)
    assert [call["input_ids"].shape[1] for call in calls][1] == 6
    assert all(call["attention_mask"].all() and call["input_ids"].dtype == np.int64 for call in calls)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"step": "onnx-dynamic-int8", "weight_type": "int4"}, r"weight_type is 'int4'\. Did you mean 'int8'"),
        ({"step": "onnx-static-int8", "method": "minmax"}, r"method is 'minmax'\. Did you mean 'min-max'"),
        ({"step": "onnx-static-int8", "percentile": 40.0}, r"percentile is 40\.0, but must be above 50"),
        ({"step": "onnx-static-int8", "samples": 0}, r"samples is 0, but must be at least 1"),
        (
            {"step": "onnx-static-int8", "activation_type": "int8", "weight_type": "uint8"},
            r"has no kernel for int8 activations and uint8 weights",
        ),
    ],
)
def test_bad_values_are_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step(entry, "test")
