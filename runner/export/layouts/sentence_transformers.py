"""The layout `sentence-transformers`: what SentenceTransformer or CrossEncoder loads (https://sbert.net).

The library reads the graph from onnx/ or openvino/, and the steps from a text to a vector from modules.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from runner.config.task_kinds import RERANK, RETRIEVAL, SINGLE_LABEL, VECTORS
from runner.export.layouts.graphs import output_shape, write_onnx, write_openvino
from runner.export.layouts.layout import Handover, check_engine, code, refused, write_json
from runner.export.layouts.needs import needs
from runner.export.layouts.transformers_files import check_padding, model_config, write_transformers_files

_BACKENDS = {"onnxruntime": "onnx", "openvino": "openvino"}
_MODULES = [("", "Transformer"), ("1_Pooling", "Pooling")]


class SentenceTransformers:
    """See the module."""

    name: ClassVar[str] = "sentence-transformers"
    loaded_by: ClassVar[str] = "sentence-transformers"

    def check(self, handover: Handover) -> None:
        """Check that the model gives vectors, or evaluates two texts together."""
        check_engine(self, handover, *_BACKENDS)
        check_padding(self, handover)
        variant = handover.variant
        if not (variant.kind in (*VECTORS, RERANK) or (variant.kind == SINGLE_LABEL and variant.pairs)):
            raise refused(
                self,
                handover,
                "SentenceTransformer gives vectors and CrossEncoder evaluates two texts together, but this model "
                f"evaluates one text and its task is of the kind {variant.kind}. Take --layout optimum.",
            )

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the model into onnx/ or openvino/, and beside it the files for tokenizing and pooling."""
        if handover.variant.kind in VECTORS:
            write_transformers_files(handover, folder)
            write_modules(handover, folder)
            write_length(handover, folder)
        else:
            no_sigmoid = {"activation_fn": "torch.nn.modules.linear.Identity"}  # scores as they were recorded
            write_transformers_files(handover, folder, sentence_transformers=no_sigmoid)
        if handover.variant.engine == "onnxruntime":
            write_onnx(handover, folder / "onnx" / "model.onnx")
        else:
            write_openvino(handover, folder / "openvino" / "openvino_model.xml")

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield a script that loads the folder and calls the model as it was measured."""
        backend, threads = _BACKENDS[handover.variant.engine], handover.variant.row["threads"]
        vectors = handover.variant.kind in VECTORS
        model = "SentenceTransformer" if vectors else "CrossEncoder"
        call = 'encode(["A text"])' if vectors else 'predict([("One text", "The text that goes with it")])'
        if handover.variant.kind == RETRIEVAL:
            call = 'encode_query(["A question"])  # and encode_document for what is searched'
        options = f'"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "{threads}", "NUM_STREAMS": "1"'
        before, argument = "", f'model_kwargs={{"ov_config": {{{options}}}}}'
        if backend == "onnx":
            before = (
                "from onnxruntime import SessionOptions\n\noptions = SessionOptions()\n"
                f"options.intra_op_num_threads = {threads}\noptions.inter_op_num_threads = 1\n"
            )
            argument = 'model_kwargs={"provider": "CPUExecutionProvider", "session_options": options}'
        yield code(f'pip install "sentence-transformers[{backend}]"')
        yield code(
            f"from sentence_transformers import {model}\n{before}\n"
            f'model = {model}(".", backend="{backend}", {argument})\nprint(model.{call})',
            "python",
        )
        yield needs(handover)


def write_modules(handover: Handover, folder: Path) -> None:
    """Write the files that turn a text into a vector: the modules, the pooling and the prompts.

    The pooling takes the first token, because the graph pools by itself; see `runner.export.layouts.graphs`.
    """
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{module}"}
        for place, (path, module) in enumerate(_MODULES)
    ]
    write_json(folder / "modules.json", modules)
    write_json(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": output_shape(handover)[-1],
            "pooling_mode_cls_token": True,
            "pooling_mode_mean_tokens": False,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    prompts: list[str] = model_config(handover).get("vector_prompts") or ["", ""]
    settings: dict[str, Any] = {"similarity_fn_name": "cosine", "default_prompt_name": None}
    settings["prompts"] = dict(zip(("query", "document"), prompts, strict=True))
    write_json(folder / "config_sentence_transformers.json", settings)


def write_length(handover: Handover, folder: Path) -> None:
    """Write the number of tokens at which texts are cut."""
    length = {"max_seq_length": handover.settings["max_length"], "do_lower_case": False}
    write_json(folder / "sentence_bert_config.json", length)
