"""The token embeddings of an ONNX model in 4 or 8 bits, by blocks, rounded to nearest
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.GatherBlockQuantized).

They are most of a small model's weight, and looking a row up costs next to nothing however it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.errors import UserError
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.onnx.onnx_weight_only import (
    CONTRIBUTED,
    check_blocks,
    import_contributed,
    quantize_blocks,
    remove_unused,
)
from runner.techniques.step import Step, StepInputs, step


@step("onnx-embedding-blocks")
@dataclass
class OnnxEmbeddingBlocks(Step):
    """onnx → onnx, in float32 or int8, its token embeddings in few bits; all else stays as it is.

    Attributes:
        bits: of a weight, 4 or 8.
        block_size: how many weights of a token share a scale and a zero point.
    """

    takes = "onnx"
    gives = "onnx"
    allows_next = ("onnx-dynamic-int8", "onnx-static-int8", "onnx-weight-only")  # fusion looks for the plain table

    bits: int = 4
    block_size: int = 128

    def __post_init__(self) -> None:
        check_blocks(self.name, self.bits, self.block_size)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Put a GatherBlockQuantized in the place of what looks tokens up; return how many tokens there are.

        Raises:
            UserError: if the graph looks tokens up in another way than exports and quantizers of ONNX Runtime do.
        """
        import onnx

        assert inputs.source is not None
        model = onnx.load(inputs.source / MODEL)
        lookup, rounding = _lookup(model.graph)
        table = _table(model.graph, lookup, rounding)
        tokens, width = table.shape
        packed, scales, zero_points = quantize_blocks(np.ascontiguousarray(table.T), self.bits, self.block_size)
        packed = np.ascontiguousarray(packed.reshape(tokens, -1)[:, : width * self.bits // 8])  # without the filling
        names = [f"token_embeddings_{part}" for part in ("packed", "scales", "zero_points")]
        model.graph.initializer.extend(map(onnx.numpy_helper.from_array, (packed, scales, zero_points), names))
        replacement = onnx.helper.make_node(
            "GatherBlockQuantized",
            [names[0], lookup.input[1], *names[1:]],
            [rounding.output[0] if rounding and rounding.input[0] == lookup.output[0] else lookup.output[0]],
            name="token_embeddings",
            domain=CONTRIBUTED,
            bits=self.bits,
            block_size=self.block_size,
            gather_axis=0,
            quantize_axis=1,
        )
        if rounding:
            model.graph.node.remove(rounding)
        lookup.CopyFrom(replacement)
        remove_unused(model.graph)
        import_contributed(model)
        onnx.save(model, target / MODEL)
        return {"tokens": tokens}


def _lookup(graph: Any) -> tuple[Any, Any | None]:
    """Return the node that looks tokens up, and the one that undoes the rounding of its table, or of what it finds.

    Raises:
        UserError: if there is not one such node.
    """
    found = [node for node in graph.node if node.op_type == "Gather" and node.input[1] == "input_ids"]
    if len(found) != 1:
        raise UserError(
            f"step 'onnx-embedding-blocks': {len(found)} nodes of this graph look tokens up, but must be one. Put this "
            "step after onnx-export, onnx-dynamic-int8, onnx-static-int8 or quantization-aware-training."
        )
    before, after = found[0].input[0], found[0].output[0]
    roundings = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    return found[0], next((node for node in roundings if node.output[0] == before or node.input[0] == after), None)


def _table(graph: Any, lookup: Any, rounding: Any | None) -> np.ndarray:
    """Return the embeddings, float32 [tokens, width]."""
    from onnx import numpy_helper

    known = {tensor.name: tensor for tensor in graph.initializer}
    name = lookup.input[0] if lookup.input[0] in known else rounding.input[0] if rounding else ""
    table: np.ndarray = numpy_helper.to_array(known[name]).astype(np.float32)
    if rounding:
        scale, zero_point = (numpy_helper.to_array(known[part]).astype(np.float32) for part in rounding.input[1:3])
        table = (table - zero_point) * scale
    return table
