"""Fused graphs are compared with the plain ones."""

from __future__ import annotations

from pathlib import Path

import onnx

from tests.techniques.conftest import apply_step, save_random
from tests.techniques.onnx_models import difference, export


def heads(folder: Path) -> list[int]:
    nodes = [node for node in onnx.load(folder / "model.onnx").graph.node if node.op_type == "Attention"]
    return [next(a.i for a in node.attribute if a.name == "num_heads") for node in nodes]


def test_a_fused_graph_gives_the_same_logits(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(checkpoint, texts, tmp_path / "plain")
    fused, notes = apply_step(tmp_path / "fused", plain, texts, step="onnx-fusion")
    assert difference(plain, fused) < 1e-4
    assert heads(fused) == [4, 4]
    assert notes["fused"]["Attention"] == 2
    assert len(onnx.load(fused / "model.onnx").graph.node) < 0.5 * len(onnx.load(plain / "model.onnx").graph.node)


def test_pruned_heads_are_counted_by_layer(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    """Importance leaves a different number of heads in each layer."""
    pruned, notes = apply_step(
        tmp_path / "pruned", checkpoint, texts, step="head-pruning", fraction=0.6, criterion="importance"
    )
    plain = export(pruned, texts, tmp_path / "plain")
    fused, _ = apply_step(tmp_path / "fused", plain, texts, step="onnx-fusion")
    assert heads(fused) == [len(kept) for kept in notes["heads_kept"]]
    assert difference(plain, fused) < 1e-4


def test_a_single_head_left(bert: Path, texts: Path, tmp_path: Path) -> None:
    pruned, _ = apply_step(tmp_path / "pruned", bert, texts, step="head-pruning", fraction=0.9, criterion="random")
    plain = export(pruned, texts, tmp_path / "plain")
    fused, _ = apply_step(tmp_path / "fused", plain, texts, step="onnx-fusion")
    assert heads(fused) == [1, 1]
    assert difference(plain, fused) < 1e-4


def test_attention_that_cannot_be_fused_stays_plain(texts: Path, tmp_path: Path) -> None:
    plain = export(save_random(tmp_path / "mpnet", texts, "mpnet"), texts, tmp_path / "plain")
    fused, notes = apply_step(tmp_path / "fused", plain, texts, step="onnx-fusion")
    assert "Attention" not in notes["fused"]
    assert difference(plain, fused) < 1e-4


def test_a_fused_graph_can_be_quantized(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    pruned, _ = apply_step(tmp_path / "pruned", checkpoint, texts, step="head-pruning", criterion="random")
    plain = export(pruned, texts, tmp_path / "plain")
    fused, _ = apply_step(tmp_path / "fused", plain, texts, step="onnx-fusion")
    made, _ = apply_step(tmp_path / "made", fused, texts, step="onnx-dynamic-int8", reduce_range=True)
    operators = {node.op_type for node in onnx.load(made / "model.onnx").graph.node}
    assert {"QAttention", "MatMulInteger"} <= operators
    assert "Attention" not in operators
    assert 0 < difference(plain, made) < 0.1


def test_fusion_gives_the_same_bytes_again(bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    first, second = (apply_step(tmp_path / name, plain, texts, step="onnx-fusion")[0] for name in ("first", "second"))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()
