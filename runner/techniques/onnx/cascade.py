"""Make a cascade, which runs the whole model only for texts on which the compressed model is not confident
(Li et al., "CascadeBERT", Findings of EMNLP 2021, arXiv:2012.14682).

Most texts cost as much as the small model, and the others cost as much as both. So look also at the mean and
the 90th percentile of the latency. Both models are in one graph. The threshold of the confidence follows from the share
of texts that may cost both.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.task_kinds import SINGLE_LABEL
from runner.errors import UserError
from runner.tasks.texts import SPLITS, read_split
from runner.techniques.onnx.onnx_dynamic_int8 import OnnxDynamicInt8
from runner.techniques.onnx.onnx_export import MODEL, OnnxExport
from runner.techniques.onnx.onnx_static_int8 import encode
from runner.techniques.shape import Shape, check_first_token, check_tokens
from runner.techniques.step import Step, StepInputs, step

_INPUTS = ("input_ids", "attention_mask")
_LOGITS = "logits"


@step("cascade")
@dataclass
class Cascade(Step):
    """onnx (the small model) → onnx (both models). The whole model is the model before the technique, or
    `technique.teacher`, in ONNX Runtime's dynamic int8 with a scale per column.

    Attributes:
        share: the share of the validation texts for which the whole model is run: those with the lowest confidence.
            Without validation texts, the training texts or else the test texts count. Labels are not used.
        max_length: the number of tokens to which these texts are cut.
        first_token: whether the whole model is exported with `first_token`; see
            `runner.techniques.onnx.onnx_export.OnnxExport`.
    """

    takes = "onnx"
    gives = "onnx"
    allows_next = ()
    wraps = True
    keeps_flops = False
    kinds = (SINGLE_LABEL,)  # the confidence in several labels, or in a vector, would need another definition
    takes_pairs = False
    reads_texts = True
    reads_tokenizer = True
    reads_teacher = True

    share: float = 0.2
    max_length: int = 128
    first_token: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.share, float) and not 0 < self.share < 1:
            raise UserError(f"step 'cascade': share is {self.share:g}, but must be above 0 and below 1.")
        if isinstance(self.max_length, int) and self.max_length < 3:
            raise UserError(f"step 'cascade': max_length is {self.max_length}, but must be at least 3.")

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the model takes texts of `max_length`, and that `first_token` fits its attention."""
        if self.first_token:
            check_first_token(shape, self.name)
        check_tokens(shape, self.name, self.max_length)
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Join the two models. Return the threshold of the largest probability, and the texts that it was found on.

        Raises:
            UserError: if the two models have different tokenizers.
        """
        import onnx

        assert inputs.source is not None
        assert inputs.checkpoint is not None
        assert inputs.teacher is not None
        if (inputs.checkpoint / "tokenizer.json").read_bytes() != (inputs.teacher / "tokenizer.json").read_bytes():
            raise UserError("step 'cascade': the two models have different tokenizers. Take models that share one.")
        split = next(split for split in ("validation", *SPLITS) if read_split(inputs.texts, split))
        texts = [example.text for example in read_split(inputs.texts, split)]
        confidences = _confidences(inputs.source / MODEL, encode(texts, inputs.checkpoint, self.max_length))
        threshold = float(np.quantile(confidences, self.share))
        joined = join(onnx.load(inputs.source / MODEL), self._whole(inputs), threshold)
        onnx.checker.check_model(joined)
        onnx.save(joined, target / MODEL)
        return {"threshold": threshold, "texts": len(texts), "split": split}

    def _whole(self, inputs: StepInputs) -> Any:
        """Return the whole model in int8, as an `onnx.ModelProto`."""
        import onnx

        with tempfile.TemporaryDirectory() as folder:
            plain, rounded = Path(folder) / "plain", Path(folder) / "rounded"
            plain.mkdir()
            rounded.mkdir()
            exporting, rounding = (
                StepInputs(source, inputs.texts, inputs.threads) for source in (inputs.teacher, plain)
            )
            OnnxExport(first_token=self.first_token).run(exporting, plain)
            OnnxDynamicInt8(per_channel=True).run(rounding, rounded)
            return onnx.load(rounded / MODEL)


def join(small: Any, whole: Any, threshold: float) -> Any:
    """Return one graph that gives the small model's logits, or the whole model's where the small one is not confident.

    All three are `onnx.ModelProto`s from input_ids and attention_mask to logits.

    Args:
        small: the small model.
        whole: the whole model.
        threshold: the whole model is run for texts to whose label the small one gives a lower probability.
    """
    import onnx
    from onnx import TensorProto, compose, helper, numpy_helper

    small, whole = (compose.add_prefix(model, f"{name}/") for model, name in ((small, "small"), (whole, "whole")))
    for graph in (small.graph, whole.graph):
        _rename(graph, {f"{prefix}/{name}": name for name in _INPUTS for prefix in ("small", "whole")})
    _rename(whole.graph, {name: f"unsure/{name}" for name in _INPUTS})
    types = {value.name: value for value in small.graph.output}
    asked = helper.make_graph(
        [
            *(helper.make_node("Compress", [name, "unsure"], [f"unsure/{name}"], axis=0) for name in _INPUTS),
            *whole.graph.node,
            helper.make_node("NonZero", ["unsure"], ["places"]),
            helper.make_node("Transpose", ["places"], ["rows"]),
            helper.make_node("ScatterND", [f"small/{_LOGITS}", "rows", f"whole/{_LOGITS}"], ["asked"]),
        ],
        "asked",
        [],
        [helper.make_tensor_value_info("asked", TensorProto.FLOAT, None)],
        whole.graph.initializer,
    )
    kept = helper.make_graph(
        [helper.make_node("Identity", [f"small/{_LOGITS}"], ["kept"])],
        "kept",
        [],
        [helper.make_tensor_value_info("kept", TensorProto.FLOAT, None)],
    )
    nodes = [
        *small.graph.node,
        helper.make_node("Softmax", [f"small/{_LOGITS}"], ["probabilities"], axis=-1),
        helper.make_node("ReduceMax", ["probabilities"], ["sure"], axes=[-1], keepdims=0),
        helper.make_node("Less", ["sure", "threshold"], ["unsure"]),
        helper.make_node("Cast", ["unsure"], ["included"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["included"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["any"], to=TensorProto.BOOL),
        helper.make_node("If", ["any"], [_LOGITS], then_branch=asked, else_branch=kept),
    ]
    sizes = [dim.dim_value or dim.dim_param for dim in types[f"small/{_LOGITS}"].type.tensor_type.shape.dim]
    graph = helper.make_graph(
        nodes,
        "cascade",
        small.graph.input,
        [helper.make_tensor_value_info(_LOGITS, TensorProto.FLOAT, sizes)],
        [*small.graph.initializer, numpy_helper.from_array(np.array(threshold, np.float32), "threshold")],
    )
    operators = {opset.domain: opset.version for model in (whole, small) for opset in model.opset_import}
    return helper.make_model(
        graph,
        ir_version=max(small.ir_version, whole.ir_version),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in sorted(operators.items())],
        producer_name=onnx.__name__,
    )


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Rename values of a graph wherever they are read or computed."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)


def _confidences(model: Path, calls: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Return the largest probability that a model gives each text, [texts]."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run([_LOGITS], call)[0] for call in calls])
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    highest: np.ndarray = powers.max(axis=-1) / powers.sum(axis=-1)
    return highest
