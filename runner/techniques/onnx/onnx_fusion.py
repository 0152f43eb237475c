"""Fuse an ONNX encoder offline with ONNX Runtime's transformers optimizer
(https://onnxruntime.ai/docs/performance/transformers-optimization.html).

Whole attention blocks, embeddings with their layer normalization, and residual additions become one operator each.
ONNX Runtime fuses some of them when it loads a plain graph. A graph that is fused beforehand loads faster and takes
less memory.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.techniques.onnx.onnx_export import MODEL
from runner.techniques.step import Step, StepInputs, step

FUSED = "com.microsoft"  # the domain of ONNX Runtime's own operators
_TOLERANCE = 1e-4  # the allowed difference of float32 logits; a wrong number of heads gives far larger ones


@step("onnx-fusion")
@dataclass
class OnnxFusion(Step):
    """onnx → onnx, float32. Architectures whose attention has no fused operator, such as MPNet, keep it plain."""

    takes = "onnx"
    gives = "onnx"
    keeps_predictions = True

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Fuse the graph, compare it with the plain one, and return the number of nodes of each fused operator.

        Raises:
            UserError: if no part of the graph can be fused.
            ValueError: if the fused graph's logits differ from those of the plain one.
        """
        import onnx

        from runner.techniques.onnx.onnx_graphs import largest_difference

        assert inputs.source is not None
        plain = onnx.load(inputs.source / MODEL)
        fused = fuse(plain)
        operators = Counter(node.op_type for node in fused.graph.node if node.domain == FUSED)
        if not operators:
            raise UserError("step 'onnx-fusion': ONNX Runtime cannot fuse any part of this graph. Leave the step out.")
        onnx.save(fused, target / MODEL)
        difference = largest_difference(plain, fused)
        if not difference <= _TOLERANCE:
            raise ValueError(f"the fused graph's logits are off by {difference:.3g}, more than {_TOLERANCE:g}")
        return {"fused": dict(sorted(operators.items())), "largest_logit_difference": difference}


def fuse(plain: Any) -> Any:
    """Return the fused graph of a plain one. Both are `onnx.ModelProto`s.

    The optimizer assumes that every block has the same number of heads, so its graph of a pruned model is silently
    wrong. This function therefore sets each block's number of heads from the width of its weights.
    """
    import onnx
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    head_size = find_head_size(plain)
    copy = onnx.ModelProto()
    copy.CopyFrom(plain)  # the optimizer works in place
    logging.getLogger("fusion_attention").setLevel(logging.ERROR)  # it would warn about the placeholder below
    heads = {"num_heads": 1, "hidden_size": head_size} if head_size else {}  # a placeholder, corrected below
    made = optimizer.optimize_model(copy, "bert", optimization_options=FusionOptions("bert"), opt_level=0, **heads)
    weights = [tensor for tensor in made.model.graph.initializer if tensor.dims]
    widths = {tensor.name: tensor.dims[-1] // 3 for tensor in weights}  # a tensor holds queries, keys and values
    for node in made.model.graph.node:
        if node.op_type == "Attention" and head_size:
            (attribute,) = (attribute for attribute in node.attribute if attribute.name == "num_heads")
            attribute.i = widths[node.input[1]] // head_size
    made.topological_sort(is_deterministic=True)
    if not any(opset.domain == FUSED for opset in made.model.opset_import):
        made.model.opset_import.append(onnx.helper.make_opsetid(FUSED, 1))
    return made.model


def find_head_size(plain: Any) -> int | None:
    """Return the width of an attention head, or None if it cannot be found or heads have different widths.

    The width is the last number of the shape [batch, length, heads, size] to which queries, keys and values are
    reshaped.

    Args:
        plain: the graph, an `onnx.ModelProto`.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in plain.graph.initializer}
    constants |= {node.output[0]: node.attribute[0].t for node in plain.graph.node if node.op_type == "Constant"}
    makers = {name: node for node in plain.graph.node for name in node.output}
    sizes = set()
    for node in plain.graph.node:
        shape = makers.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None or shape.op_type != "Concat" or len(shape.input) != 4 or shape.input[3] not in constants:
            continue
        sizes.add(int(numpy_helper.to_array(constants[shape.input[3]]).item()))
    return sizes.pop() if len(sizes) == 1 else None
