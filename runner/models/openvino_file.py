"""Check a graph in OpenVINO's format before OpenVINO reads it, because it may come from an untrusted source.

Only the XML is read, by Python's own parser. The weights and the library are not needed.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from runner.errors import UserError

_MOST_BYTES = 256 * 2**20
_OPERATORS = re.compile(r"opset\d{1,3}")


def read_names(path: Path, where: str) -> tuple[list[str], list[str]]:
    """Return the names of a graph's inputs and outputs.

    Args:
        path: the .xml file.
        where: the model's name in errors.

    Raises:
        UserError: if the file is not such a graph, if its .bin is missing, or if an operator is not one of OpenVINO's.
    """
    root, where = _read(path, where), f"{where}: {path.name}"
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise UserError(f"{where} needs {weights.name}, which holds its weights. Put the file beside it.")
    layers = {layer.get("id", ""): layer for layer in root.iterfind("layers/layer")}
    for layer in layers.values():
        if not _OPERATORS.fullmatch(layer.get("version", "")):
            raise UserError(
                f"{where}: layer '{_text(layer, 'name')}' has the operator {_text(layer, 'type')} of "
                f"'{_text(layer, 'version')}', but only OpenVINO's own are allowed. Export the model again without it."
            )
    sources = {
        edge.get("to-layer", ""): (edge.get("from-layer", ""), edge.get("from-port", ""))
        for edge in root.iterfind("edges/edge")
    }
    inputs = [_names(layer, None) for layer in layers.values() if layer.get("type") == "Parameter"]
    ends = [sources.get(number) for number, layer in layers.items() if layer.get("type") == "Result"]
    outputs = [_names(layers[end[0]], end[1]) for end in ends if end and end[0] in layers]
    return inputs, outputs


def _read(path: Path, where: str) -> ElementTree.Element:
    try:
        size = path.stat().st_size
        root = ElementTree.fromstring(path.read_bytes()) if size <= _MOST_BYTES else None
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise UserError(f"{where}: {path.name} is not OpenVINO's XML: {error}. Take another copy of it.") from None
    if root is None or root.tag != "net":
        raise UserError(f"{where}: {path.name} is not OpenVINO's XML. Take another copy of it.")
    return root


def _names(layer: ElementTree.Element, port: str | None) -> str:
    """Return the first name of a layer's output port (the first port, if `port` is None), or else its own name."""
    ports = [entry for entry in layer.iterfind("output/port") if port is None or entry.get("id") == port]
    names = ports[0].get("names", "") if ports else ""
    return names.split(",")[0] or _text(layer, "name")


def _text(layer: ElementTree.Element, key: str) -> str:
    return layer.get(key, "")[:100]
