"""Say in the model card what a server needs to run a variant as it was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator

from runner.export.layouts.graphs import load_onnx
from runner.export.layouts.layout import Handover
from runner.machine.int8 import EIGHT_BITS
from runner.models.onnx_file import other_operators
from runner.report.markdown import escape
from runner.results.format import pluralize


def needs(handover: Handover) -> str:
    """Return the part of the card: a list of what the runtime and the CPU must have."""
    about = (_of_the_graph, _of_the_cpu, _of_the_calls)
    lines = [f"- {escape(line)}" for each in about for line in each(handover)]
    return "\n".join(["## What it needs", "", *lines])


def _of_the_graph(handover: Handover) -> Iterator[str]:
    ran = json.loads(handover.variant.trial["box_engine"] or "{}")
    inputs = ", ".join(handover.sources.inputs)
    if handover.variant.engine == "onnxruntime":
        model = load_onnx(handover)
        opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), "unknown")
        yield (
            f"A version of ONNX Runtime that reads opset {opset} and IR version {model.ir_version}. It was measured "
            f"with {ran.get('onnxruntime', 'an unknown version')}."
        )
        if others := sorted(other_operators(model)):
            yield f"Operators that are not ONNX's own, and that ONNX Runtime has: {', '.join(others)}."
        else:
            yield "Only ONNX's own operators."
    else:
        yield f"OpenVINO {str(ran.get('openvino', 'of an unknown version')).partition('-')[0]}, or a newer one."
    yield f"The inputs {inputs}, each int64 [batch, length], with any batch size and length."


def _of_the_cpu(handover: Handover) -> Iterator[str]:
    if handover.variant.row["int8_weight_bits"] == EIGHT_BITS:
        yield "A CPU whose int8 products are exact, which requires VNNI on x86: without it they may saturate."
    if handover.variant.engine == "openvino":
        yield "INFERENCE_PRECISION_HINT=f32. Without it OpenVINO computes in bfloat16 where the CPU has that."


def _of_the_calls(handover: Handover) -> Iterator[str]:
    row, settings = handover.variant.row, handover.settings
    yield (
        f"It was measured with {pluralize(row['threads'], 'thread')}, {pluralize(row['batch_size'], 'text')} a call, "
        f"and texts cut at {settings['max_length']} tokens."
    )
    if settings["pad_to_multiple_of"] > 1:
        yield (
            f"Texts were padded to a multiple of {settings['pad_to_multiple_of']} tokens. Other padding takes "
            "a different time."
        )
