"""Token embeddings are stored in few bits, and the logits stay near."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from runner.errors import UserError
from runner.techniques.chain import check_chain, make_chain, make_step
from tests.techniques.conftest import apply_step
from tests.techniques.onnx_models import difference, export

BEFORE = ["onnx-dynamic-int8", "onnx-static-int8", "onnx-weight-only"]


def size(folder: Path) -> int:
    return (folder / "model.onnx").stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, *BEFORE])
def test_fewer_bits_are_further_and_smaller(before: str | None, bert: Path, texts: Path, tmp_path: Path) -> None:
    made = export(bert, texts, tmp_path / "plain")
    if before:
        made = apply_step(tmp_path / "before", made, texts, step=before, checkpoint=bert)[0]
    eight, four = (
        apply_step(tmp_path / f"{bits}", made, texts, step="onnx-embedding-blocks", bits=bits, block_size=16)[0]
        for bits in (8, 4)
    )
    assert size(four) < size(eight)
    assert difference(made, eight) < 0.02
    assert difference(made, eight) < difference(made, four) < 0.1


@pytest.mark.parametrize("after", [*BEFORE, "cascade"])
def test_other_steps_can_come_after_it(after: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    made = apply_step(tmp_path / "made", plain, texts, step="onnx-embedding-blocks", block_size=16)[0]
    after_it = apply_step(tmp_path / "after", made, texts, step=after, checkpoint=bert, teacher=bert)[0]
    assert difference(plain, after_it) < 0.1


def test_the_table_is_stored_once_and_in_half_a_byte_each(bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    made, notes = apply_step(tmp_path / "made", plain, texts, step="onnx-embedding-blocks", block_size=16)
    graph = onnx.load(made / "model.onnx").graph
    table = next(tensor for tensor in onnx.load(plain / "model.onnx").graph.initializer if "word" in tensor.name)
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    assert notes == {"tokens": table.dims[0]}
    assert sizes["token_embeddings_packed"] == [table.dims[0], table.dims[1] // 2]
    assert table.name not in sizes
    used = {name for node in graph.node for name in node.input}
    assert sizes.keys() <= used


def test_it_gives_the_same_bytes_again(bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    first, second = (apply_step(tmp_path / name, plain, texts, step="onnx-embedding-blocks")[0] for name in ("a", "b"))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()


def test_a_graph_that_looks_nothing_up_is_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    plain = export(bert, texts, tmp_path / "plain")
    once, _ = apply_step(tmp_path / "once", plain, texts, step="onnx-embedding-blocks")
    with pytest.raises(UserError, match="this graph has 0 nodes that look tokens up, not one"):
        apply_step(tmp_path / "twice", once, texts, step="onnx-embedding-blocks")


def test_it_may_come_after_training_with_rounding() -> None:
    names = ["quantization-aware-training", "onnx-embedding-blocks"]
    check_chain(make_chain([{"step": name} for name in names], "technique"), "onnx", "technique")


@pytest.mark.parametrize("names", [["cascade", "onnx-embedding-blocks"], ["onnx-embedding-blocks", "onnx-fusion"]])
def test_chains_that_do_not_join_are_refused(names: list[str]) -> None:
    with pytest.raises(UserError, match=f"'{names[1]}' cannot come after '{names[0]}'"):
        check_chain(make_chain([{"step": name} for name in names], "technique"), "onnx", "technique")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("bits", 3, "bits is 3, but must be one of 4, 8"), ("block_size", 20, "block_size is 20, but must be one of 16")],
)
def test_bad_settings_are_refused_when_composed(key: str, value: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step({"step": "onnx-embedding-blocks", key: value}, "technique.steps[0]")
