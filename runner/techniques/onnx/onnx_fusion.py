"""Offline fusion of an ONNX encoder by ONNX Runtime's transformers optimizer
(https://onnxruntime.ai/docs/performance/transformers-optimization.html).

Whole attention blocks, embeddings with their layer normalization, and residual additions become one operator each.
ONNX Runtime fuses some of that when it loads a plain graph; done beforehand, loading is quicker and takes less memory.
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
_TOLERANCE = 1e-4  # of float32 logits, fused against plain; heads counted wrongly give far more


@step("onnx-fusion")
@dataclass
class OnnxFusion(Step):
    """onnx → onnx, float32. Architectures whose attention has no fused operator, such as MPNet, keep it plain."""

    takes = "onnx"
    gives = "onnx"
    keeps_predictions = True

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Fuse, compare with the plain graph; return how many nodes of each fused operator there are.

        Raises:
            UserError: if nothing of it can be fused.
            ValueError: if the fused graph's logits differ from those of the plain one.
        """
        import onnx

        from runner.techniques.onnx.onnx_graphs import largest_difference

        assert inputs.source is not None
        plain = onnx.load(inputs.source / MODEL)
        fused = fuse(plain)
        operators = Counter(node.op_type for node in fused.graph.node if node.domain == FUSED)
        if not operators:
            raise UserError("step 'onnx-fusion': there is nothing in this graph that ONNX Runtime knows how to fuse.")
        onnx.save(fused, target / MODEL)
        difference = largest_difference(plain, fused)
        if not difference <= _TOLERANCE:
            raise ValueError(f"the fused graph's logits are off by {difference:.3g}, more than {_TOLERANCE:g}")
        return {"fused": dict(sorted(operators.items())), "largest_logit_difference": difference}


def fuse(plain: Any) -> Any:
    """Return the fused graph of a plain one (both `onnx.ModelProto`).

    The optimizer believes that every block has the same number of heads, and a graph of pruned ones is then wrong
    without a word. Here every block's number is counted from the width of its own weights.
    """
    import onnx
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    head_size = find_head_size(plain)
    copy = onnx.ModelProto()
    copy.CopyFrom(plain)  # the optimizer works in place
    logging.getLogger("fusion_attention").setLevel(logging.ERROR)  # it would warn of the placeholder below
    heads = {"num_heads": 1, "hidden_size": head_size} if head_size else {}  # a placeholder that makes it go on
    made = optimizer.optimize_model(copy, "bert", optimization_options=FusionOptions("bert"), opt_level=0, **heads)
    weights = [tensor for tensor in made.model.graph.initializer if tensor.dims]
    widths = {tensor.name: tensor.dims[-1] // 3 for tensor in weights}  # of query, key, value
    for node in made.model.graph.node:
        if node.op_type == "Attention" and head_size:
            (attribute,) = (attribute for attribute in node.attribute if attribute.name == "num_heads")
            attribute.i = widths[node.input[1]] // head_size
    made.topological_sort(is_deterministic=True)
    if not any(opset.domain == FUSED for opset in made.model.opset_import):
        made.model.opset_import.append(onnx.helper.make_opsetid(FUSED, 1))
    return made.model


def find_head_size(plain: Any) -> int | None:
    """Return how wide an attention head is: the last number of the shapes [batch, length, heads, size] that queries,
    keys and values are brought to. None if there is no such shape, or more than one size.

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
