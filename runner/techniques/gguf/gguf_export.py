"""Export an encoder to GGUF, the file format of llama.cpp (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).

The file holds the tokenizer's vocabulary too, so llama.cpp's own programs load it. llama.cpp has its own graph of each
architecture. Only that of BERT with a WordPiece tokenizer is supported here. Its GELU is an approximation, so even
vectors in float32 differ from those of transformers in the third or fourth digit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config.task_kinds import VECTORS
from runner.errors import UserError, did_you_mean
from runner.techniques.gguf.gguf_files import TYPES, write_gguf
from runner.techniques.shape import Shape
from runner.techniques.step import Step, StepInputs, step

if TYPE_CHECKING:
    import torch

_ADVICE = "Take another technique, or exclude this combination in the grid."
_BLOCK = 32  # the number of neighbouring weights that share a scale
_EXACT = ("f32", "f16")
_LOWEST_COSINE = 0.999  # of vectors whose weights are not quantized; those of a wrong graph differ by far more


@step("gguf-export")
@dataclass
class GgufExport(Step):
    """checkpoint → gguf, for any batch size and length.

    Attributes:
        quantization: how weights and token embeddings are stored: "f32", "f16", or in blocks with "q8_0" or "q4_k",
            which llama.cpp multiplies by activations in 8 bits. Blocks of q4_k need rows of a multiple of 256 weights.
            Other rows get 5 bits (Q5_0), as llama.cpp's own quantizer does it. Biases, norms, positions and token types
            stay in float32.
    """

    takes = "checkpoint"
    gives = "gguf"
    packages = ("xllamacpp", "gguf")
    takes_pairs = False  # llama.cpp's BERT gives every token the first token type
    other_kinds = "llama.cpp runs encoders that give vectors here. Exclude this combination in the grid."

    quantization: str = "q8_0"

    def __post_init__(self) -> None:
        if isinstance(self.quantization, str) and self.quantization not in TYPES:
            raise UserError(
                f"step 'gguf-export': quantization is '{self.quantization}'. {did_you_mean(self.quantization, TYPES)}"
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of task whose model gives vectors."""
        return VECTORS

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that llama.cpp has a graph for such a model, and that its rows fit into blocks."""
        if shape.model_type not in (None, "bert"):
            raise UserError(f"step 'gguf-export' exports the architecture bert, not '{shape.model_type}'. {_ADVICE}")
        if shape.tokenizer not in (None, "WordPiece"):
            raise UserError(f"step 'gguf-export' exports WordPiece tokenizers, not {shape.tokenizer}. {_ADVICE}")
        if shape.heads and shape.head_size and any(heads * shape.head_size != shape.hidden for heads in shape.heads):
            raise UserError(
                f"step 'gguf-export': all heads together must be as wide as the hidden states ({shape.hidden}), but "
                f"heads were removed. {_ADVICE}"
            )
        for name, size in (("hidden_size", shape.hidden), ("intermediate_size", shape.neurons)):
            if self.quantization not in _EXACT and size and size % _BLOCK:
                raise UserError(
                    f"step 'gguf-export': {name} is {size}, but {self.quantization} needs a multiple of {_BLOCK}. Use "
                    f"quantization: f16, or exclude this combination in the grid."
                )
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Export the model, and compare its vectors with the checkpoint's.

        Raises:
            UserError: if the checkpoint has a part that llama.cpp's graph does not have.
            ValueError: if the vectors differ although the weights are not quantized.
        """
        from runner.engines.checkpoint import NORMALIZED, load_checkpoint
        from runner.engines.llamacpp import SETTINGS, Engine

        assert inputs.source is not None
        model = load_checkpoint(inputs.source)
        types = write_gguf(model, inputs.source / "tokenizer.json", target, self.quantization)
        settings = {
            "tokens": model.config.max_position_embeddings,
            "normalized": bool(getattr(model.config, NORMALIZED, False)),
        }
        (target / SETTINGS).write_text(json.dumps(settings) + "\n", encoding="utf-8")
        cosine = lowest_cosine(model, Engine(target, inputs.threads))
        if self.quantization in _EXACT and not cosine >= _LOWEST_COSINE:
            raise ValueError(f"the exported model's vectors have a cosine of only {cosine:.4f} with the checkpoint's")
        return {"weights_by_type": types, "lowest_cosine": cosine}


def lowest_cosine(model: torch.nn.Module, engine: Any) -> float:
    """Return the lowest cosine of an engine's vectors with a model's, on random texts of several lengths."""
    import torch

    from runner.techniques.torch.tracing import Logits, example

    lowest = 1.0
    with torch.inference_mode():
        for batch, length in ((1, 9), (3, 33)):
            inputs = example(Logits(model), batch, length)
            arrays = (inputs["input_ids"].numpy(), inputs["attention_mask"].numpy())
            vectors = torch.from_numpy(engine.logits(engine.run(engine.prepare(*arrays))))
            cosines = torch.nn.functional.cosine_similarity(vectors, model(**inputs).logits)
            lowest = min(lowest, float(cosines.min()))
    return lowest
