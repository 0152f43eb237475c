"""Functions that several steps use to import OpenVINO and to read and write its models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from runner.engines.no_telemetry import hide_openvino_telemetry

MODEL = "model.xml"  # the graph; its weights lie in model.bin beside it


def import_openvino() -> Any:
    """Return the module openvino. Neither it nor nncf, if it is imported afterwards, sends usage statistics."""
    hide_openvino_telemetry()
    import openvino

    return openvino


def read(folder: Path) -> Any:
    """Return the `openvino.Model` of an artifact."""
    return import_openvino().Core().read_model(folder / MODEL)


def save(model: Any, folder: Path) -> None:
    """Write an `openvino.Model` with its weights' types unchanged. The same model always gives the same bytes.

    OpenVINO numbers unnamed nodes with a counter of the process, so each gets its place in the graph as its number.
    """
    for place, node in enumerate(model.get_ordered_ops()):
        if re.fullmatch(rf"{node.get_type_name()}_\d+", node.get_friendly_name()):
            node.set_friendly_name(f"{node.get_type_name()}_{place}")
    model.set_friendly_name("model")
    import_openvino().save_model(model, folder / MODEL, compress_to_fp16=False)


def import_nncf() -> Any:
    """Return the module nncf, set to report only errors and progress."""
    import_openvino()
    import logging

    import nncf

    nncf.set_log_level(logging.ERROR)
    return nncf
