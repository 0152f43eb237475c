"""Quantization-aware training: fine-tune with the rounding of static int8, then quantize with the ranges so learnt.

Jacob et al. 2018 (see fake_quantization.py); for BERT, Zafrir et al., "Q8BERT: Quantized 8Bit BERT",
2019 (arXiv:1910.06188). The model before rounding is the teacher, as in Jin et al., "KDLSQ-BERT", 2021
(arXiv:2101.05938), though ranges follow moving averages here: what counts is to predict as it did.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.techniques.onnx.onnx_export import MODEL, OnnxExport, exported
from runner.techniques.onnx.onnx_static_int8 import OnnxStaticInt8
from runner.techniques.shape import Shape, check_first_token
from runner.techniques.step import StepInputs, step
from runner.techniques.training.distil import Distillation, TaughtStep

# Of the median text's logits. A sum taken in another order may be rounded to the next level, which adds up from one
# layer to the next: in few texts, but there by as much as rounding itself.
_TOLERANCE = 0.02


@step("quantization-aware-training")
@dataclass
class QuantizationAwareTraining(TaughtStep):
    """checkpoint → onnx in int8, the graph of the step onnx-static-int8; see `runner.techniques.training.training`.

    Attributes:
        reduce_range: 7-bit weights. On CPUs without VNNI, the kernels add two products in 16 bits, which 8-bit weights
            can overflow (255 · 127 · 2), so that what runs is not what was trained; 7-bit ones cannot (255 · 64 · 2).
            By default, therefore, a model is the same on every CPU, and training makes up for the bit.
        embeddings: whether the tables of embeddings are stored in uint8 too.
        first_token: see `runner.techniques.onnx.onnx_export.OnnxExport`; training itself computes all tokens.
    """

    gives = "onnx"
    allows_next = ("onnx-embedding-blocks",)

    epochs: int = 1
    learning_rate: float = 5e-6
    dropout: float = 0.0
    hard_weight: float = 0.0  # labels that the teacher was trained with pull the model away from it
    unlabelled: int = 6000  # of its own training texts, the teacher is too sure to teach much
    reduce_range: bool = True
    embeddings: bool = True
    first_token: bool = False

    @property
    def first_token_only(self) -> bool:
        """See `first_token`."""
        return self.first_token

    def infer_shape(self, shape: Shape) -> Shape:
        """The same shape, if it can be trained, and exported as asked for."""
        if self.first_token:
            check_first_token(shape, self.name)
        return super().infer_shape(shape)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train and quantize; return what `fit` does, and how far logits are from those
        that were trained.

        Raises:
            ValueError: if that is too far.
        """
        from runner.engines.checkpoint import load_checkpoint
        from runner.techniques.training.fake_quantization import fake_quantize

        assert inputs.source is not None
        model = self.start(inputs)
        fake_quantize(model, self.reduce_range, self.embeddings)
        notes = self.fit(model, inputs, Distillation(model, load_checkpoint(inputs.source), self, inputs.source))
        quantize(model, inputs.source, target / MODEL, self.reduce_range, self.embeddings, self.first_token)
        return notes | self._check(model, inputs, exported(target / MODEL))

    def _check(self, model: Any, inputs: StepInputs, quantized: Callable[..., Any]) -> dict[str, float]:
        """Return how far the quantized model's logits of the validation texts are from those that were trained."""
        import torch

        from runner.techniques.training.batches import Batches

        assert inputs.source is not None
        texts = Batches(inputs.source, self._labelled(inputs.texts, "validation"), self.max_length, model.config)
        differences = []
        with torch.inference_mode():
            for batch in texts.in_order(self.batch_size):
                del batch["labels"]
                differences.append((model.eval()(**batch).logits - quantized(**batch)).abs().amax(1))
        found = torch.cat(differences)
        if self.reduce_range and found.median() > _TOLERANCE:  # 8-bit weights may overflow on this CPU
            raise ValueError(f"the quantized model's logits are off by {found.median():.3g}, more than {_TOLERANCE:g}")
        return {"median_logit_difference": found.median().item(), "largest_logit_difference": found.max().item()}


def quantize(
    model: Any, checkpoint: Path, path: Path, reduce_range: bool, embeddings: bool, first_token: bool = False
) -> None:
    """Write a fake-quantized model as an ONNX graph in int8, with the ranges that it has learnt.

    Args:
        model: as `runner.techniques.training.fake_quantization.fake_quantize` wraps it, with the same settings.
        checkpoint: the folder it came from.
        path: of the file to write; its folder holds files for a while that are gone afterwards.
        reduce_range, embeddings, first_token: see `QuantizationAwareTraining`.
    """
    import onnx
    from onnxruntime.quantization.calibrate import save_tensors_data

    from runner.engines.checkpoint import save_checkpoint
    from runner.techniques.training.fake_quantization import input_ranges, unwrapped

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain, graph, ranges = (Path(folder) / name for name in ("plain", "graph", "ranges.json"))
        plain.mkdir()
        graph.mkdir()
        save_checkpoint(unwrapped(model), plain, tokenizer_from=checkpoint)
        OnnxExport(first_token=first_token).run(StepInputs(source=plain, texts=plain, threads=1), graph)
        loaded = onnx.load(graph / MODEL)
        save_tensors_data(tensor_ranges(loaded, input_ranges(model)), ranges)
        OnnxStaticInt8(reduce_range=reduce_range, embeddings=embeddings).quantize(loaded, path, ranges=ranges)


def tensor_ranges(graph: Any, ranges: dict[str, tuple[float, float]]) -> Any:
    """Return the ranges of a graph's activations, as ONNX Runtime's `TensorsData`.

    Args:
        graph: an `onnx.ModelProto` from the tracing exporter, which names nodes by the modules they come from; of a
            module that is called again, other nodes have the same weight.
        ranges: of the inputs of the model's linear layers, by the layers' names.

    Raises:
        ValueError: if a linear layer has no node.
    """
    import numpy as np
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData

    products = [node for node in graph.graph.node if node.op_type in ("MatMul", "Gemm")]
    names = [node.name.rpartition("/")[0].replace("/", ".").removeprefix(".model.") for node in products]
    if missing := sorted(ranges.keys() - set(names)):
        raise ValueError(f"the exported graph has no product for {missing[0]}")
    by_weight = {node.input[1]: name for node, name in zip(products, names, strict=True) if name in ranges}
    found = {}
    for node, name in zip(products, names, strict=True):
        own = name if name in ranges else by_weight.get(node.input[1])
        if own is not None:
            found[node.input[0]] = tuple(np.array(end, np.float32) for end in ranges[own])
    return TensorsData(CalibrationMethod.MinMax, found)
