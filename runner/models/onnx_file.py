"""Check an ONNX file before a session loads it, because it may come from an untrusted source.

Only the protobuf is read, without the tensors in other files.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import Any

from runner.errors import UserError

_ONNX_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_DOMAINS = (*_ONNX_DOMAINS, "com.microsoft")  # ONNX Runtime has the operators of these domains
# The bits of an element, by its type's number in TensorProto.DataType. Strings (8) have no fixed size.
_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16,
         17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}  # fmt: skip
_STRINGS = 8
_EXTERNAL = 1
_MAX_DIMENSIONS = 64  # NumPy's own limit
_MAX_ELEMENTS = 2**32  # for a sparse tensor, which becomes dense when it is used
_MAX_NODES = 1_000_000  # after every call of a function is replaced by its nodes
_OF_OTHER_FILES = "EPContext"  # the operator that runs a program from another file
_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
_PER_ENTRY = 16  # the most elements in an entry of a field: those of 2 bits are packed


def check_onnx(path: Path, where: str) -> None:
    """Check that a graph has only standard operators, and that all its tensors are complete and in its own folder.

    Subgraphs and the model's local functions are checked as well.

    Args:
        path: the file.
        where: the model's name in errors.

    Raises:
        UserError: if a check fails. The message names the node or the tensor at fault.
    """
    where = f"{where}: {path.name}"
    model = _read(path, where)
    _check_functions(model, where)
    known = {(function.domain, function.name) for function in model.functions}
    for node in _nodes(model):
        is_own = (node.domain, node.op_type) in known
        if node.op_type == _OF_OTHER_FILES or (node.domain not in _DOMAINS and not is_own):
            raise UserError(
                f"{where}: node '{_text(node.name)}' has the operator {_text(node.domain)}.{_text(node.op_type)}, but "
                f"only those of ONNX and com.microsoft are allowed. Export the model again without it."
            )
    for sparse in _sparse_tensors(model):
        _check_dimensions(sparse.dims, f"{where}: sparse tensor '{_text(sparse.values.name)}'", _MAX_ELEMENTS)
    for tensor in _tensors(model):
        _check_tensor(tensor, path.parent, f"{where}: tensor '{_text(tensor.name)}'")


def onnx_weights(path: Path) -> list[list[int]]:
    """Return the sizes of a graph's own tensors, which are its weights."""
    return [list(tensor.dims) for tensor in _read(path, str(path)).graph.initializer]


def other_operators(model: Any) -> set[str]:
    """Return the operators of an `onnx.ModelProto` that are not ONNX's own, such as com.microsoft.MatMulNBits."""
    return {f"{node.domain}.{node.op_type}" for node in _nodes(model) if node.domain not in _ONNX_DOMAINS}


def _read(path: Path, where: str) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        return onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise UserError(f"{where} is not an ONNX file: {error}. Take another copy of it.") from None


def _nodes(model: Any) -> Iterator[Any]:
    """Yield the nodes of the graph, its subgraphs and the functions."""
    for graph in _graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _tensors(model: Any) -> Iterator[Any]:
    """Yield the tensors of graphs and of the nodes' attributes, and both parts of sparse tensors."""
    for graph in _graphs(model):
        yield from graph.initializer
    for attribute in _attributes(model):
        yield from (attribute.t, *attribute.tensors)
    for sparse in _sparse_tensors(model):
        yield from (sparse.values, sparse.indices)


def _sparse_tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model):
        yield from graph.sparse_initializer
    for attribute in _attributes(model):
        yield from (attribute.sparse_tensor, *attribute.sparse_tensors)


def _graphs(model: Any) -> Iterator[Any]:
    trained = (graph for info in model.training_info for graph in (info.initialization, info.algorithm))
    waiting = [model.graph, *trained]
    waiting += [graph for function in model.functions for node in function.node for graph in _subgraphs(node)]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += [inner for node in graph.node for inner in _subgraphs(node)]


def _subgraphs(node: Any) -> list[Any]:
    graphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return [graph for graph in graphs if graph.ByteSize()]


def _attributes(model: Any) -> Iterator[Any]:
    for node in _nodes(model):
        yield from node.attribute
    for function in model.functions:
        yield from function.attribute_proto


def _check_functions(model: Any, where: str) -> None:
    """Check that an engine can replace all calls of functions by their nodes, and that the result is not too large."""
    functions = {(function.domain, function.name): _all_nodes(function) for function in model.functions}
    calls = {name: {_called(node) for node in nodes} & functions.keys() for name, nodes in functions.items()}
    try:
        order = [*TopologicalSorter(calls).static_order()]
    except CycleError as error:
        raise UserError(
            f"{where}: the function '{_text(error.args[1][0][1])}' calls itself. Export the model again without it."
        ) from None
    sizes: dict[Any, int] = {}
    for name in order:
        sizes[name] = min(_MAX_NODES, sum(sizes.get(_called(node), 1) for node in functions[name]))
    if (size := sum(sizes.get(_called(node), 1) for node in _nodes(model))) > _MAX_NODES:
        raise UserError(
            f"{where} has {size} nodes or more when every call of a function is replaced by its nodes, but at most "
            f"{_MAX_NODES} are allowed. Take a smaller model."
        )


def _called(node: Any) -> tuple[Any, Any]:
    return node.domain, node.op_type


def _all_nodes(function: Any) -> list[Any]:
    """Return the nodes of a function and of its subgraphs."""
    inner = [graph for node in function.node for graph in _all_subgraphs(node)]
    return [*function.node, *(node for graph in inner for node in graph.node)]


def _all_subgraphs(node: Any) -> list[Any]:
    graphs = _subgraphs(node)
    return graphs + [deeper for graph in graphs for inner in graph.node for deeper in _all_subgraphs(inner)]


def _check_tensor(tensor: Any, folder: Path, where: str) -> None:
    _check_dimensions(tensor.dims, where)
    elements = math.prod(tensor.dims) if tensor.data_type else 0  # type 0 means that an attribute holds no tensor
    if tensor.data_type not in (0, _STRINGS) and tensor.data_type not in _BITS:
        raise UserError(f"{where} is of the type {tensor.data_type}, which ONNX does not know.")
    needed = -(-elements * _BITS.get(tensor.data_type, 0) // 8)
    if tensor.data_location == _EXTERNAL:
        _check_external(tensor, needed, folder, where)
    elif tensor.raw_data:
        if len(tensor.raw_data) < needed:
            raise UserError(f"{where} should have {needed} bytes by its shape, but has {len(tensor.raw_data)}.")
    elif elements > _PER_ENTRY * sum(len(getattr(tensor, field)) for field in _FIELDS):
        raise UserError(f"{where} has the shape {list(tensor.dims)[:8]}, but fewer elements.")


def _check_dimensions(sizes: Sequence[int], where: str, max_elements: float = math.inf) -> None:
    if len(sizes) > _MAX_DIMENSIONS:
        raise UserError(f"{where} has {len(sizes)} dimensions, but at most {_MAX_DIMENSIONS} are allowed.")
    if any(size < 0 for size in sizes):
        raise UserError(f"{where} has the shape {list(sizes)[:8]}, but no size can be negative.")
    if math.prod(sizes) > max_elements:
        raise UserError(
            f"{where} has the shape {list(sizes)[:8]}, that is, {math.prod(sizes)} elements, but at most "
            f"{max_elements} are allowed."
        )


def _check_external(tensor: Any, needed: int, folder: Path, where: str) -> None:
    """Check that a tensor's data in another file is complete, and that the file is in the model's own folder."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if len(entries) < len(tensor.external_data):
        raise UserError(f"{where} has a key twice in its external data, so its place is not clear.")
    location = PurePosixPath(_decoded(entries.get("location", "")))
    path = folder / location
    if location.is_absolute() or ".." in location.parts or not _is_inside(path, folder):
        raise UserError(f"{where} is in '{_text(str(location))}', but must be in a file of the model's own folder.")
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", needed))
    except ValueError:
        raise UserError(f"{where} has an offset or a length that is not a number.") from None
    if offset < 0 or length < needed or offset + length > path.stat().st_size:
        raise UserError(f"{where} should have {needed} bytes at {offset} of {location}, but the file has fewer.")


def _is_inside(path: Path, folder: Path) -> bool:
    try:
        return path.is_file() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False  # such a name cannot be a file


def _decoded(value: str | bytes) -> str:
    """Return a string of the file. The protobuf reader gives bytes if a string is not UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="backslashreplace")


def _text(value: str | bytes) -> str:
    return _decoded(value)[:100]
