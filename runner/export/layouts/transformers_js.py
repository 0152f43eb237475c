"""The layout `transformers.js`: what Transformers.js loads in Node.js or a browser.

It reads onnx/model.onnx, with a suffix that says how the weights are stored, beside config.json and the tokenizer
(https://huggingface.co/docs/transformers.js/guides/dtypes).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from runner.config.task_kinds import CLASSIFIED, RERANK, VECTORS
from runner.export.layouts.graphs import load_onnx, other_files, write_onnx
from runner.export.layouts.layout import Handover, check_engine, check_kind, code, refused
from runner.export.layouts.needs import needs
from runner.export.layouts.transformers_files import check_padding, write_transformers_files
from runner.report.markdown import escape
from runner.tasks.tokenizer import load_tokenizer, truncation_side

_SUFFIXES = {"fp32": "", "q8": "_quantized", "q4": "_q4", "q2": "_q2"}  # by dtype: the suffix of the file's name
_TOKENIZER = {  # the parts of tokenizer.json that it knows, by their place in the file
    "model": {"BPE", "Unigram", "WordPiece"},
    "normalizer": {
        *("BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Precompiled", "Prepend", "Replace"),
        *("Sequence", "Strip", "StripAccents"),
    },
    "pre_tokenizer": {
        *("BertPreTokenizer", "ByteLevel", "Digits", "FixedLength", "Metaspace", "Punctuation", "Replace"),
        *("Sequence", "Split", "Whitespace", "WhitespaceSplit"),
    },
    "post_processor": {"BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"},
}
_PARTS = {"normalizer": "normalizers", "pre_tokenizer": "pretokenizers", "post_processor": "processors"}


class TransformersJs:
    """See the module."""

    name: ClassVar[str] = "transformers.js"
    loaded_by: ClassVar[str] = "Transformers.js"

    def check(self, handover: Handover) -> None:
        """Check the engine, and that Transformers.js can tokenize as in the measurement."""
        check_engine(self, handover, "onnxruntime")
        check_kind(self, handover, (*CLASSIFIED, *VECTORS, RERANK), "cannot tokenize a text that is split into words")
        check_padding(self, handover)
        if other_files(handover):
            raise refused(
                self,
                handover,
                "Its ONNX graph has weights in other files, under a name that Transformers.js does not look for. "
                "Take --layout optimum.",
            )
        if truncation_side(load_tokenizer(handover.sources.checkpoint)) != "right":
            raise refused(
                self,
                handover,
                "Its tokenizer cuts long texts on the left, but Transformers.js can only cut them on the right. "
                "Take --layout optimum.",
            )
        tokenizer = json.loads(handover.sources.tokenizer.read_text(encoding="utf-8"))
        if unknown := [*_unknown_parts(tokenizer)]:
            raise refused(
                self,
                handover,
                f"Transformers.js does not know parts of its tokenizer: {', '.join(unknown)}. Take --layout optimum.",
            )

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the model under the name of its dtype, which config.json makes the default."""
        dtype = _dtype(handover)
        # Only the classes of models with token types give these, which distinguish the two texts of a pair.
        name = "BertTokenizer" if "token_type_ids" in handover.sources.inputs else "PreTrainedTokenizerFast"
        write_transformers_files(handover, folder, name, **{"transformers.js_config": {"dtype": dtype}})
        write_onnx(handover, folder / "onnx" / f"model{_SUFFIXES[dtype]}.onnx")

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield a module that loads the folder and calls the model as it was measured."""
        variant = handover.variant
        threads = f"{{ intraOpNumThreads: {variant.row['threads']}, interOpNumThreads: 1 }}"
        options = f'{{ dtype: "{_dtype(handover)}", session_options: {threads} }}'
        model = "AutoModel" if variant.kind in VECTORS else "AutoModelForSequenceClassification"
        texts = '"A text to be evaluated"'
        cut = "{ truncation: true }"
        if handover.takes_two_texts:
            texts, cut = '"One text"', '{ text_pair: "The text that goes with it", truncation: true }'
        output = "last_hidden_state  // the model pools by itself" if variant.kind in VECTORS else "logits"
        yield code("npm install @huggingface/transformers")
        yield code(
            f'import {{ AutoTokenizer, {model} }} from "@huggingface/transformers";\n\n'
            "const folder = import.meta.dirname;\n"
            "const tokenizer = await AutoTokenizer.from_pretrained(folder);\n"
            f"const model = await {model}.from_pretrained(folder, {options});\n"
            f"const outputs = await model(await tokenizer({texts}, {cut}));\nconsole.log(outputs.{output});",
            "javascript",
        )
        yield needs(handover)
        yield escape(
            f"Transformers.js cuts a text at {handover.settings['max_length']} tokens together with its last special "
            "token. So a text that is longer gets another output than it had when it was measured."
        )


def _dtype(handover: Handover) -> str:
    """Return the dtype by which Transformers.js asks for a file with such weights."""
    nodes = load_onnx(handover).graph.node
    bits = [a.i for node in nodes if node.op_type == "MatMulNBits" for a in node.attribute if a.name == "bits"]
    if bits and f"q{min(bits)}" in _SUFFIXES:
        return f"q{min(bits)}"
    return "q8" if "int8" in (handover.variant.trial["precision"] or "") else "fp32"


def _unknown_parts(tokenizer: dict[str, Any]) -> Iterator[str]:
    """Yield each part of tokenizer.json that Transformers.js does not know, such as 'model WordLevel'."""
    for place, known in _TOKENIZER.items():
        part = tokenizer.get(place) or {}
        for one in (part, *part.get(_PARTS.get(place, ""), [])):
            if one and one.get("type") not in known:
                yield f"{place} {one.get('type')}"
