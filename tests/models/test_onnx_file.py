"""An untrusted graph is refused if it has other operators than ONNX's, or missing or external tensors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from runner.errors import UserError
from runner.models.onnx_file import check_onnx


def _graph(*nodes: NodeProto, tensors: tuple[TensorProto, ...] = ()) -> GraphProto:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    return helper.make_graph(list(nodes), "graph", ends[:1], ends[1:], list(tensors))


def _save(folder: Path, graph: GraphProto, **more: object) -> Path:
    model: ModelProto = helper.make_model(graph, **more)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _tensor(values: int = 2) -> TensorProto:
    return numpy_helper.from_array(np.zeros(values, np.float32), "w")


def _external(location: str, **entries: int) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


ADD = helper.make_node("Add", ["x", "w"], ["y"])
EVIL = helper.make_node("Run", ["x"], ["y"], name="it", domain="evil.ops")


def test_a_good_graph_passes(tmp_path: Path) -> None:
    check_onnx(_save(tmp_path, _graph(ADD, tensors=(_tensor(),))), "model 'm'")


def test_external_data_in_the_folder_pass(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"0" * 16)
    check_onnx(_save(tmp_path, _graph(ADD, tensors=(_external("weights", offset=8, length=8),))), "model 'm'")


@pytest.mark.parametrize("location", ["../weights", "/etc/passwd", "a/../../weights", "link", "", "a\0b", "."])
def test_external_data_elsewhere_are_refused(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights").write_bytes(b"0" * 16)
    (folder / "link").symlink_to(tmp_path / "weights")
    with pytest.raises(UserError, match=r"tensor 'w' is in '.*', but must be in a file of the model's own folder"):
        check_onnx(_save(folder, _graph(ADD, tensors=(_external(location),))), "model 'm'")


@pytest.mark.parametrize("entries", [{"offset": 12}, {"offset": -8}, {"length": 4}, {"length": 2**62}])
def test_external_data_that_are_not_there_are_refused(entries: dict[str, int], tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"0" * 16)
    with pytest.raises(UserError, match=r"but the file has fewer"):
        check_onnx(_save(tmp_path, _graph(ADD, tensors=(_external("weights", **entries),))), "model 'm'")


def _absurd(dims: list[int], **fields: object) -> TensorProto:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, **fields)


@pytest.mark.parametrize(
    "tensor",
    [
        _absurd([2**40, 2**40], raw_data=b"0" * 8),
        _absurd([-2, -4], raw_data=b"0" * 32),
        _absurd([10**9], float_data=[0.0]),
        _absurd([2**62] * 100_000, raw_data=b"0" * 8),  # to compute their product would take minutes
        TensorProto(name="w", data_type=99, dims=[1], raw_data=b"0"),
    ],
)
def test_absurd_tensors_are_refused(tensor: TensorProto, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.onnx: tensor 'w'"):
        check_onnx(_save(tmp_path, _graph(ADD, tensors=(tensor,))), "model 'm'")


@pytest.mark.parametrize(("dims", "message"), [([2**40], "that is, 1099511627776 elements"), ([-5], "be negative")])
def test_absurd_sparse_tensors_are_refused(dims: list[int], message: str, tmp_path: Path) -> None:
    index = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    graph = _graph(ADD)
    graph.sparse_initializer.append(helper.make_sparse_tensor(_tensor(1), index, dims))
    with pytest.raises(UserError, match=rf"model\.onnx: sparse tensor 'w' .*{message}"):
        check_onnx(_save(tmp_path, graph), "model 'm'")


def test_a_tensor_that_lies_in_two_places_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"0" * 8)
    tensor = _external("weights")
    tensor.external_data.add(key="location", value="../weights")
    with pytest.raises(UserError, match="has a key twice"):
        check_onnx(_save(tmp_path, _graph(ADD, tensors=(tensor,))), "model 'm'")


def _in_a_branch(inner: NodeProto) -> NodeProto:
    branch = helper.make_graph([inner], "branch", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    return helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)


@pytest.mark.parametrize("wrap", [lambda node: node, _in_a_branch, lambda node: _in_a_branch(_in_a_branch(node))])
def test_other_operators_are_refused_at_any_depth(wrap: Callable[[NodeProto], NodeProto], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"node 'it' has the operator evil\.ops\.Run, but only those of ONNX"):
        check_onnx(_save(tmp_path, _graph(wrap(EVIL))), "model 'm'")


def test_other_operators_are_refused_in_functions(tmp_path: Path) -> None:
    function = helper.make_function("own", "F", ["x"], ["y"], [EVIL], [helper.make_opsetid("evil.ops", 1)])
    call = helper.make_node("F", ["x"], ["y"], domain="own")
    with pytest.raises(UserError, match=r"evil\.ops\.Run"):
        check_onnx(_save(tmp_path, _graph(call), functions=[function]), "model 'm'")


def test_a_function_that_calls_itself_is_refused(tmp_path: Path) -> None:
    call = helper.make_node("F", ["x"], ["y"], domain="own")
    function = helper.make_function("own", "F", ["x"], ["y"], [call], [helper.make_opsetid("own", 1)])
    with pytest.raises(UserError, match="the function 'F' calls itself"):
        check_onnx(_save(tmp_path, _graph(call), functions=[function]), "model 'm'")


def test_functions_that_double_at_every_call_are_refused(tmp_path: Path) -> None:
    functions = []
    for number in range(64):
        calls = [helper.make_node(f"F{number + 1}", [a], [b], domain="own") for a, b in (("x", "a"), ("a", "y"))]
        functions.append(helper.make_function("own", f"F{number}", ["x"], ["y"], calls, []))
    functions.append(helper.make_function("own", "F64", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], []))
    call = helper.make_node("F0", ["x"], ["y"], domain="own")
    with pytest.raises(UserError, match=r"nodes or more when every call of a function is replaced"):
        check_onnx(_save(tmp_path, _graph(call), functions=functions), "model 'm'")


def test_a_node_that_stands_for_another_file_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", ep_cache_context="/etc/passwd")
    with pytest.raises(UserError, match=r"the operator com\.microsoft\.EPContext"):
        check_onnx(_save(tmp_path, _graph(node)), "model 'm'")


def test_tensors_of_attributes_are_checked(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["y"])
    constant.attribute.append(AttributeProto(name="value", type=AttributeProto.TENSOR, t=_external("../weights")))
    with pytest.raises(UserError, match="must be in a file of the model's own folder"):
        check_onnx(_save(tmp_path, _graph(constant)), "model 'm'")


def test_strings_that_are_not_utf_8_are_named_in_a_refusal(tmp_path: Path) -> None:
    path = _save(tmp_path, _graph(EVIL))
    path.write_bytes(path.read_bytes().replace(b"evil.ops", b"evil\xffops"))
    with pytest.raises(UserError, match=r"evil\\xffops\.Run"):
        check_onnx(path, "model 'm'")
    plain = _save(tmp_path, _graph(ADD, tensors=(_external("weights"),)))
    plain.write_bytes(plain.read_bytes().replace(b"weights", b"weight\xff"))
    with pytest.raises(UserError, match=r"is in 'weight\\xff', but must be"):
        check_onnx(plain, "model 'm'")


@pytest.mark.parametrize("content", [b"not a graph", b"\x80\x04\x95pickle", b"\x0a\xff\xff\xff\xff\x0f"])
def test_no_graph_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(UserError, match=r"is not an ONNX file"):
        check_onnx(tmp_path / "model.onnx", "model 'm'")
