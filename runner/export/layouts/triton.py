"""The layout `triton`: a model repository of NVIDIA Triton Inference Server for its ONNX Runtime backend.

config.pbtxt has the measured workers, threads, batches and queue
(https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/model_configuration.html).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from runner.export.layouts.graphs import free_batch, load_onnx, output_shape
from runner.export.layouts.layout import Handover, check_engine, code, refused
from runner.export.layouts.needs import needs
from runner.report.markdown import escape
from runner.results.format import pluralize

_REPOSITORY = "model_repository"


class Triton:
    """See the module."""

    name: ClassVar[str] = "triton"
    loaded_by: ClassVar[str] = "Triton"

    def check(self, handover: Handover) -> None:
        """Check the engine, and that the graph takes batches."""
        if handover.variant.engine == "openvino":
            raise refused(
                self,
                handover,
                "It was measured with OpenVINO, whose backend for Triton takes no inputs of variable length. Take "
                "--layout openvino-model-server.",
            )
        check_engine(self, handover, "onnxruntime")
        if not free_batch(handover):
            raise refused(
                self,
                handover,
                "Its ONNX graph has a fixed batch size, but Triton puts requests into batches of its own. Export the "
                "model with a free batch size, and measure that.",
            )

    def write(self, handover: Handover, folder: Path) -> None:
        """Write the model byte for byte as version 1, its config, and the tokenizer for clients."""
        model = folder / _REPOSITORY / handover.slug
        shutil.copytree(handover.sources.artifact, model / "1", copy_function=shutil.copyfile)
        (model / "config.pbtxt").write_text(_config(handover), encoding="utf-8")
        shutil.copyfile(handover.sources.tokenizer, folder / "tokenizer.json")

    def use(self, handover: Handover) -> Iterator[str]:
        """Yield how to start the server, and what a client sends."""
        yield code(
            f"tritonserver --model-repository={_REPOSITORY}\ncurl http://127.0.0.1:8000/v2/models/{handover.slug}/ready"
        )
        batching = handover.load.batching if handover.load.is_open else None
        yield escape(
            f"The server takes token ids, not texts: a client makes them with tokenizer.json, and cuts a text at "
            f"{handover.settings['max_length']} tokens. It has {pluralize(handover.workers, 'instance')} with "
            f"{pluralize(handover.variant.row['threads'], 'thread')} each, as many as workers were measured."
        )
        if batching and batching.max_batch_size > 1:
            yield escape(
                f"It puts up to {batching.max_batch_size} requests into a call, and waits "
                f"{batching.max_wait_milliseconds:g} ms for them, as measured. It does so only for inputs of one "
                "length: let clients pad their texts to the same multiple of tokens."
            )
        yield needs(handover)


def _config(handover: Handover) -> str:
    """Return config.pbtxt. Its shapes leave out the batch size, which Triton adds."""
    batching = handover.load.batching
    largest = batching.max_batch_size if handover.load.is_open else handover.variant.row["batch_size"]
    inputs = [_tensor("input", name, "TYPE_INT64", [-1]) for name in handover.sources.inputs]
    output = _tensor("output", load_onnx(handover).graph.output[0].name, "TYPE_FP32", output_shape(handover)[1:])
    threads = {"intra_op_thread_count": handover.variant.row["threads"], "inter_op_thread_count": 1}
    parameters = [
        f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}' for key, value in threads.items()
    ]
    lines = [
        f'name: "{handover.slug}"',
        'backend: "onnxruntime"',
        'default_model_filename: "model.onnx"',
        f"max_batch_size: {largest}",
        *inputs,
        output,
        f"instance_group [ {{ count: {handover.workers} kind: KIND_CPU }} ]",
        *parameters,
    ]
    if handover.load.is_open:
        wait = round(batching.max_wait_milliseconds * 1000)
        queue = f"default_queue_policy {{ max_queue_size: {handover.load.queue} }}"
        lines.append(f"dynamic_batching {{ max_queue_delay_microseconds: {wait} {queue} }}")
    return "\n".join(lines) + "\n"


def _tensor(kind: str, name: str, data_type: str, dims: list[int]) -> str:
    shape = ", ".join(map(str, dims))
    return f'{kind} [ {{ name: "{name}" data_type: {data_type} dims: [ {shape} ] }} ]'
