"""Quantize only the weights of an ONNX model to 8 or 4 bits, by blocks, rounded to nearest
(https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits).

Each column of a weight is cut into blocks that share a scale and a zero point. ONNX Runtime's own quantizer of this
kind needs a package that the box does not have. So this module rewrites the graph, and calls ONNX Runtime's rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.errors import UserError, did_you_mean
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.step import Step, StepInputs, step

CONTRIBUTED = "com.microsoft"  # the domain of ONNX Runtime's own operators

_BITS = (4, 8)
_BLOCK_SIZES = (16, 32, 64, 128, 256)
_ACCURACY_LEVELS = {"float32": 1, "int8": 4}


@step("onnx-weight-only")
@dataclass
class OnnxWeightOnly(Step):
    """onnx → onnx, with the weights of matrix products in few bits. For embeddings, see onnx-embedding-blocks.

    Attributes:
        bits: the bits of a weight, 4 or 8.
        block_size: the number of a column's weights that share a scale and a zero point.
        products: the precision of products. "float32" restores the weights. "int8" rounds the activations, too: each
            block of each row has its own scale, so that a result does not depend on the batch.
    """

    takes = "onnx"
    gives = "onnx"
    allows_next = ("onnx-dynamic-int8", "onnx-embedding-blocks")  # both quantize the embeddings

    bits: int = 8
    block_size: int = 32
    products: str = "int8"

    def __post_init__(self) -> None:
        check_blocks(self.name, self.bits, self.block_size)
        if isinstance(self.products, str) and self.products not in _ACCURACY_LEVELS:
            hint = did_you_mean(self.products, _ACCURACY_LEVELS)
            raise UserError(f"step 'onnx-weight-only': products is '{self.products}'. {hint}")

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Replace every product by a constant weight with a MatMulNBits, and return the number of such products.

        Raises:
            UserError: if there is no such product.
        """
        import onnx

        assert inputs.source is not None
        model = onnx.load(inputs.source / MODEL)
        weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) == 2}
        products = [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in weights]
        if not products:
            raise UserError("step 'onnx-weight-only': no MatMul of this graph has a constant weight in float32.")
        for node in products:
            self._rewrite(node, weights[node.input[1]], model.graph)
        remove_unused(model.graph)
        import_contributed(model)
        onnx.save(model, target / MODEL)
        return {"quantized_products": len(products)}

    def _rewrite(self, node: Any, weight: Any, graph: Any) -> None:
        """Turn a MatMul into a MatMulNBits with the same output."""
        from onnx import helper, numpy_helper

        parts = quantize_blocks(numpy_helper.to_array(weight), self.bits, self.block_size)
        names = [f"{weight.name}_{part}" for part in ("packed", "scales", "zero_points")]
        graph.initializer.extend(
            numpy_helper.from_array(part, name)
            for name, part in zip(names, parts, strict=True)
            if all(tensor.name != name for tensor in graph.initializer)  # two products may share a weight
        )
        rows, columns = weight.dims
        replacement = helper.make_node(
            "MatMulNBits",
            [node.input[0], *names],
            list(node.output),
            name=node.name,
            domain=CONTRIBUTED,
            K=rows,
            N=columns,
            bits=self.bits,
            block_size=self.block_size,
            accuracy_level=_ACCURACY_LEVELS[self.products],
        )
        node.CopyFrom(replacement)


def check_blocks(name: str, bits: int, block_size: int) -> None:
    """Check the bits and the block size of a step that quantizes by blocks.

    Raises:
        UserError: if a value is not allowed. The message names the step, the key and the allowed values.
    """
    for key, value, allowed in (("bits", bits, _BITS), ("block_size", block_size, _BLOCK_SIZES)):
        if isinstance(value, int) and value not in allowed:
            raise UserError(f"step '{name}': {key} is {value}, but must be one of {str(allowed)[1:-1]}.")


def quantize_blocks(weight: np.ndarray, bits: int, block_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Round a weight to unsigned integers of `bits` bits, each block of a column with its own scale and zero point.

    Args:
        weight: float32 [rows, columns], as MatMul takes it.
        bits: 4 or 8.
        block_size: the number of rows in a block. The last block of a column is filled up with zeros.

    Returns:
        The packed weights, uint8 [columns, blocks, block_size · bits / 8], the scales, float32 [columns, blocks], and
        the zero points, uint8 [columns, ⌈blocks · bits / 8⌉], as MatMulNBits takes them.
    """
    from onnxruntime.capi._pybind_state import quantize_matmul_4bits, quantize_matmul_8bits

    rows, columns = weight.shape
    blocks = -(-rows // block_size)
    filled = np.pad(weight, ((0, blocks * block_size - rows), (0, 0)))
    packed = np.zeros((columns, blocks, block_size * bits // 8), dtype=np.uint8)
    scales = np.zeros((columns, blocks), dtype=np.float32)
    zero_points = np.zeros((columns, -(-blocks * bits // 8)), dtype=np.uint8)
    quantize = quantize_matmul_4bits if bits == 4 else quantize_matmul_8bits
    quantize(packed, filled, scales, zero_points, block_size, columns, rows, False)
    return packed, scales, zero_points


def import_contributed(model: Any) -> None:
    """Let a model use ONNX Runtime's own operators."""
    import onnx

    if not any(opset.domain == CONTRIBUTED for opset in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(CONTRIBUTED, 1))


def remove_unused(graph: Any) -> None:
    """Remove the initializers that no node reads."""
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
