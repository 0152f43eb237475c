"""Fine-tune a model with the rounding of static int8, and quantize it with the ranges that it has learnt.

See Jacob et al. 2018 (in fake_quantization.py) and, for BERT, Zafrir et al., "Q8BERT: Quantized 8Bit BERT", 2019
(arXiv:1910.06188). The model before rounding is the teacher, as in Jin et al., "KDLSQ-BERT", 2021 (arXiv:2101.05938),
because the aim is to keep its predictions. Unlike in that paper, ranges follow moving averages.
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

# The allowed difference of the median text's logits. A sum in another order may be rounded to the next level, and such
# errors add up over the layers. This happens in few texts, but there the errors are as large as those of rounding.
_TOLERANCE = 0.02


@step("quantization-aware-training")
@dataclass
class QuantizationAwareTraining(TaughtStep):
    """checkpoint → onnx in int8, with the same graph as onnx-static-int8; see `runner.techniques.training.training`.

    Attributes:
        reduce_range: whether weights have 7 bits. On CPUs without VNNI, the kernels add two products in 16 bits. 8-bit
            weights can overflow these sums (255 · 127 · 2), so that the model computes something else than in training;
            7-bit weights cannot (255 · 64 · 2). With the default, a model is the same on every CPU, and training
            compensates for the missing bit.
        embeddings: whether the tables of embeddings are stored in uint8, too.
        first_token: see `runner.techniques.onnx.onnx_export.OnnxExport`. Training computes all tokens.
    """

    gives = "onnx"
    allows_next = ("onnx-embedding-blocks",)

    epochs: int = 1
    learning_rate: float = 5e-6
    dropout: float = 0.0
    hard_weight: float = 0.0  # labels on which the teacher was trained would move the model away from it
    unlabelled: int = 6000  # the teacher is too confident on its own training texts to teach much
    reduce_range: bool = True
    embeddings: bool = True
    first_token: bool = False

    @property
    def first_token_only(self) -> bool:
        """See `first_token`."""
        return self.first_token

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the model can be trained, and exported with these settings."""
        if self.first_token:
            check_first_token(shape, self.name)
        return super().infer_shape(shape)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train and quantize the model. Return the notes of `fit` and the differences from the trained logits.

        Raises:
            ValueError: if `reduce_range` is true and the median difference is too large.
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
        """Return how far the quantized model's logits on the validation texts are from the trained model's."""
        import torch

        from runner.techniques.training.batches import Batches

        assert inputs.source is not None
        texts = Batches(inputs.source, self._labelled(inputs.texts, "validation"), self.max_length, model.config)
        differences = []
        with torch.inference_mode():
            for batch in texts.in_order(self.batch_size):
                del batch["labels"]
                differences.append((model.eval()(**batch).logits - quantized(**batch)).abs().amax(1))
        by_text = torch.cat(differences)
        median = by_text.median().item()
        if self.reduce_range and median > _TOLERANCE:  # 8-bit weights may overflow on this CPU
            raise ValueError(f"the quantized model's logits are off by {median:.3g}, more than {_TOLERANCE:g}")
        return {"median_logit_difference": median, "largest_logit_difference": by_text.max().item()}


def quantize(
    model: Any, checkpoint: Path, path: Path, reduce_range: bool, embeddings: bool, first_token: bool = False
) -> None:
    """Write a fake-quantized model as an int8 ONNX graph with the ranges that it has learnt.

    Args:
        model: the model that `runner.techniques.training.fake_quantization.fake_quantize` wrapped with these settings.
        checkpoint: the folder that the model came from.
        path: the file to write. Its folder also holds temporary files.
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
        graph: an `onnx.ModelProto` from the tracing exporter, which names nodes by their modules. If a module is called
            again, its other nodes are found by their weight.
        ranges: the ranges of the inputs of the model's linear layers, by the layers' names.

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
    by_tensor = {}
    for node, name in zip(products, names, strict=True):
        layer = name if name in ranges else by_weight.get(node.input[1])
        if layer is not None:
            by_tensor[node.input[0]] = tuple(np.array(end, np.float32) for end in ranges[layer])
    return TensorsData(CalibrationMethod.MinMax, by_tensor)
