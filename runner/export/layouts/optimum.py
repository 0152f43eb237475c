"""The layout `optimum`: a folder that ORTModel or OVModel of Hugging Face Optimum loads.

ORTModel reads model.onnx, and OVModel reads openvino_model.xml. Both files lie beside config.json
(https://huggingface.co/docs/optimum-onnx, https://huggingface.co/docs/optimum-intel).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runner.config.task_kinds import TOKENS, VECTORS
from runner.export.layouts.graphs import write_onnx, write_openvino
from runner.export.layouts.layout import Handover, check_engine, code
from runner.export.layouts.needs import needs
from runner.export.layouts.transformers_files import check_padding, write_transformers_files

_PACKAGES = {
    "onnxruntime": ("optimum.onnxruntime", "ORT", "optimum-onnx[onnxruntime]"),
    "openvino": ("optimum.intel", "OV", "optimum-intel[openvino]"),
}


class Optimum:
    """See the module."""

    name: ClassVar[str] = "optimum"
    loaded_by: ClassVar[str] = "Optimum"

    def check(self, handover: Handover) -> None:
        """Check the engine and the tokenizer. Optimum has a class for every kind of task."""
        check_engine(self, handover, *_PACKAGES)
        check_padding(self, handover)

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the model beside the files of transformers."""
        write_transformers_files(handover, folder)
        if handover.variant.engine == "onnxruntime":
            write_onnx(handover, folder / "model.onnx")
        else:
            write_openvino(handover, folder / "openvino_model.xml")

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield a script that loads the folder and calls the model as it was measured."""
        module, prefix, package = _PACKAGES[handover.variant.engine]
        kind = handover.variant.kind
        task = {TOKENS: "TokenClassification"} | dict.fromkeys(VECTORS, "FeatureExtraction")
        name = f"{prefix}ModelFor{task.get(kind, 'SequenceClassification')}"
        text = '"One text", "The text that goes with it"' if handover.takes_two_texts else '"A text to be evaluated"'
        if kind == TOKENS:
            text = '["The", "words", "of", "a", "text"], is_split_into_words=True'
        output = "last_hidden_state[:, 0]  # the model pools by itself" if kind in VECTORS else "logits"
        options, argument = _options(handover)
        yield code(f'pip install "{package}"')
        yield code(
            f"from {module} import {name}\nfrom transformers import AutoTokenizer\n{options}\n"
            f'tokenizer = AutoTokenizer.from_pretrained(".")\n'
            f'model = {name}.from_pretrained(".", {argument})\n'
            f'inputs = tokenizer({text}, truncation=True, return_tensors="np")\nprint(model(**inputs).{output})',
            "python",
        )
        yield needs(handover)


def _options(handover: Handover) -> tuple[str, str]:
    """Return the lines that make the options of the runtime as they were measured, and the argument for them."""
    threads = handover.variant.row["threads"]
    if handover.variant.engine == "onnxruntime":
        lines = f"options.intra_op_num_threads = {threads}\noptions.inter_op_num_threads = 1\n"
        return (
            f"from onnxruntime import SessionOptions\n\noptions = SessionOptions()\n{lines}",
            "session_options=options",
        )
    properties = f'"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "{threads}", "NUM_STREAMS": "1"'
    return f"\noptions = {{{properties}}}\n", "ov_config=options"
