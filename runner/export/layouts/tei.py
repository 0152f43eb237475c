"""The layout `tei`: what Text Embeddings Inference loads with its ONNX Runtime backend.

It reads onnx/model.onnx, config.json and tokenizer.json. For a model that gives vectors, it also reads
1_Pooling/config.json (https://huggingface.co/docs/text-embeddings-inference).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from runner.config.task_kinds import RERANK, SINGLE_LABEL, VECTORS
from runner.export.layouts.graphs import write_onnx
from runner.export.layouts.layout import Handover, check_engine, check_kind, code, refused
from runner.export.layouts.needs import needs
from runner.export.layouts.sentence_transformers import write_length, write_modules
from runner.export.layouts.transformers_files import (
    check_padding,
    model_config,
    write_transformers_files,
)
from runner.report.markdown import escape
from runner.results.format import pluralize

_NEEDED = {  # the keys of config.json that it needs, and the names that some architectures have for them
    "hidden_size": ("n_embd", "dim", "d_model"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "max_position_embeddings": ("n_positions",),
}


class Tei:
    """See the module."""

    name: ClassVar[str] = "tei"
    loaded_by: ClassVar[str] = "Text Embeddings Inference"

    def check(self, handover: Handover) -> None:
        """Check the engine and the task, and that config.json has the keys that the server reads."""
        check_engine(self, handover, "onnxruntime")
        check_kind(
            self,
            handover,
            (SINGLE_LABEL, *VECTORS, RERANK),
            "applies softmax to the logits of a whole text",
        )
        check_padding(self, handover)
        config = model_config(handover)
        if missing := [key for key in _NEEDED if _value(config, key) is None]:
            raise refused(
                self,
                handover,
                f"Its config.json does not say {', '.join(missing)}, which the server reads. Take --layout optimum.",
            )
        if handover.variant.kind not in VECTORS and not _is_classifier(config):
            raise refused(
                self,
                handover,
                "Its config.json names no architecture that ends with Classification, by which the server knows a "
                "classifier. Take --layout optimum.",
            )

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the model into onnx/, and beside it the files for tokenizing and pooling."""
        config = model_config(handover)
        write_transformers_files(handover, folder, **{key: _value(config, key) for key in _NEEDED})
        write_onnx(handover, folder / "onnx" / "model.onnx")
        write_length(handover, folder)
        if handover.variant.kind in VECTORS:
            write_modules(handover, folder)

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield how to start the server, and what a client sends."""
        kind = handover.variant.kind
        body: Any = '{"inputs": "A text", "normalize": false}' if kind in VECTORS else '{"inputs": "A text"}'
        path = "embed" if kind in VECTORS else "predict"
        if handover.variant.pairs:
            body = '{"inputs": [["One text", "The text that goes with it"]]}'
        if kind == RERANK:
            path, body = "rerank", '{"query": "A question", "texts": ["A document"], "raw_scores": true}'
        threads = handover.variant.row["threads"]
        yield code(
            f"taskset -c 0-{threads - 1} text-embeddings-router --model-id . --dtype float32 --port 8080\n"
            f"curl http://127.0.0.1:8080/{path} -H 'Content-Type: application/json' -d '{body}'"
        )
        yield escape(
            f"It runs as many threads as it has CPUs, so give it {pluralize(threads, 'CPU')}. Let it cut long texts "
            "(--auto-truncate), on the side on which they were cut when the model was measured."
        )
        yield needs(handover)


def _value(config: dict[str, Any], key: str) -> Any:
    return next((config[name] for name in (key, *_NEEDED[key]) if config.get(name) is not None), None)


def _is_classifier(config: dict[str, Any]) -> bool:
    return any(name.endswith("Classification") for name in config.get("architectures") or [])
