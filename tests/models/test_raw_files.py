"""Untrusted model files are refused if they would run code, leave the folder, or claim a wrong size."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.errors import UserError
from runner.models.raw_files import check_files
from tests.models.files import WEIGHTS, write_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    return write_files(tmp_path / "model", "config.json", "tokenizer.json", "model.safetensors")


def _weights(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a safetensors file with this header. `length` is the length that it claims for the header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _tensor(dtype: str = "F32", shape: tuple[int, ...] = (2,), offsets: tuple[int, int] = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


LYING = {
    "header beyond the end": _weights({}, length=1000),
    "header of 2^63 bytes": _weights({}, length=2**63),
    "header of 101 MB": _weights(b" " * 10, length=101_000_000),
    "no header": b"",
    "data beyond the end": _weights({"a": _tensor()}, b"1234"),
    "data that overlap": _weights({"a": _tensor(), "b": _tensor(offsets=(4, 12))}, b"0" * 12),
    "data after the last tensor": _weights({"a": _tensor()}, b"0" * 16),
    "a shape that overflows": _weights({"a": _tensor(shape=(2**40, 2**40))}, b"0" * 8),
    "a shape that does not fit": _weights({"a": _tensor(shape=(3,))}, b"0" * 8),
    "a type that there is not": _weights({"a": _tensor(dtype="PICKLE")}, b"0" * 8),
    "a JSON bomb": _weights(b"[" * 200_000),
    "a list": _weights([1, 2]),
    "a pickle": b"\x80\x04\x95" + b"0" * 100,
}


@pytest.mark.parametrize("content", LYING.values(), ids=LYING)
def test_weights_that_lie_are_refused(content: bytes, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match=r"model 'm': model\.safetensors is not a safetensors file: .*another copy"):
        check_files(folder, "model 'm'")


@pytest.mark.parametrize("name", ["modeling_evil.py", "configuration_evil.py", "deep/tokenization_evil.py"])
def test_code_is_refused(name: str, folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / name).write_text("raise SystemExit")
    with pytest.raises(UserError, match=rf"{Path(name).name} is the model's own code\. Pinbox never runs such code"):
        check_files(folder, "model 'm'")


def test_code_that_is_named_may_lie_there_and_no_other(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}}')
    (folder / "modeling_own.py").write_text("raise SystemExit")
    check_files(folder, "model 'm'", ["modeling_own.py"])
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    with pytest.raises(
        UserError, match=r"modeling_evil\.py is the model's own code.*name its files in model\.source\.code"
    ):
        check_files(folder, "model 'm'", ["modeling_own.py"])


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_reference_to_code_is_refused(name: str, folder: Path) -> None:
    (folder / name).write_text('{"auto_map": {"AutoModel": "evil--repo.Model"}}')
    with pytest.raises(UserError, match=rf"{name} names the model's own code \(auto_map\)"):
        check_files(folder, "model 'm'")


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    (folder / "vocab.json").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match=r"vocab\.json is a link out of the folder"):
        check_files(folder, "model 'm'")


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    (folder / "vocab.json").symlink_to("config.json")
    check_files(folder, "model 'm'")


@pytest.mark.parametrize("name", ["more.safetensors", "vocab.txt", "deep/model.onnx"])
@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to(path.name), lambda path: path.symlink_to("no")]
)
def test_what_is_no_file_is_refused_unopened(name: str, make: Callable[[Path], None], folder: Path) -> None:
    (folder / "deep").mkdir()
    make(folder / name)
    with pytest.raises(UserError, match=rf"{name} is neither a file nor a folder"):
        check_files(folder, "model 'm'")


BAD_JSON = {
    "nested too deeply": (b"[" * 100_000, "nested too deeply|cannot be read"),
    "no JSON": (b"not json", "cannot be read"),
    "no text": (b"\xff\xfe\x00", "cannot be read"),
    "a list": (b"[]", "does not hold a JSON object"),
    "no name": (b'{"model_type": ["bert"]}', "must be a name"),
    "no number": (b'{"pad_token_id": "0"}', "pad_token_id is '0', but must be a number"),
    "too many layers": (b'{"num_hidden_layers": 1000000000}', "must be at most 10000"),
}


@pytest.mark.parametrize(("content", "message"), BAD_JSON.values(), ids=BAD_JSON)
def test_a_bad_config_is_refused(content: bytes, message: str, folder: Path) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=message):
        check_files(folder, "model 'm'")


@pytest.mark.parametrize("place", ["../other.safetensors", "/etc/passwd", "a/b.safetensors", "weights.bin", 3])
def test_weights_elsewhere_are_refused(place: Any, folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": place}}))
    with pytest.raises(UserError, match=r"weights must be \*\.safetensors files beside it"):
        check_files(folder, "model 'm'")


def test_good_files_pass(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(_weights({"a": _tensor()}, b"0" * 8))
    (folder / "more.safetensors").write_bytes(WEIGHTS)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "more.safetensors"}}')
    check_files(folder, "model 'm'")
