"""Check a model's raw files before anything loads them, because they may come from an untrusted source.

The checks run no code and build no model. They read the header of weights, the protobuf of a graph, and JSON.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

from runner.errors import UserError
from runner.models.onnx_file import check_onnx

_CODE = ("modeling_*.py", "configuration_*.py", "tokenization_*.py")  # transformers would import these if allowed
_JSON_BYTES = 256 * 2**20  # the limit for a file; a large tokenizer.json has 35 MB
_SIZES = ("num_hidden_layers", "n_layers", "n_layer", "num_attention_heads", "n_heads", "n_head")
_LARGEST_SIZE = 10_000  # the limit for these sizes


def check_files(folder: Path, where: str, code: Collection[str] = ()) -> None:
    """Check all files of a model's folder that a step may load.

    Args:
        folder: the model's folder, which may hold config.json, tokenizer.json, *.safetensors and model.onnx.
        where: the model's name in errors.
        code: the names of files of code that are allowed. Pinbox does not run them, but a step of the user's own may.

    Raises:
        UserError: if a file is a link out of the folder, a broken link, a pipe, code, or not what its name says.
    """
    for path in sorted(folder.rglob("*")):
        _check_inside(path, folder, where)
    for path in sorted(path for pattern in _CODE for path in folder.rglob(pattern)):
        if path.name not in code:
            raise UserError(f"{where}: {path.name} is the model's own code. {_NO_CODE}")
    _check_config(folder / "config.json", where, code)
    _check_tokenizer(folder, where, code)
    _check_index(folder / "model.safetensors.index.json", where)
    for path in sorted(folder.glob("*.safetensors")):
        check_weights(path, where)
    if (folder / "model.onnx").is_file():
        check_onnx(folder / "model.onnx", where)


def check_weights(path: Path, where: str) -> None:
    """Check a safetensors file. Its library refuses a header with wrong lengths, types, shapes or offsets.

    Raises:
        UserError: if it refuses the file. The message quotes the library.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as error:
        raise UserError(f"{where}: {path.name} is not a safetensors file: {error}. Take another copy of it.") from None


_NO_CODE = (
    "Pinbox never runs such code. If the model's architecture is part of transformers, remove the code; otherwise take "
    "another model. If you trust the code and have a step of your own that runs it in its box, name its files in "
    "model.source.code."
)


def _check_inside(path: Path, folder: Path, where: str) -> None:
    if not path.is_file() and not path.is_dir():  # reading a pipe or a device may never end
        raise UserError(f"{where}: {path.relative_to(folder)} is neither a file nor a folder. Remove it.")
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"{where}: {path.relative_to(folder)} is a link out of the folder, which a box cannot follow. Replace it "
            "with the file itself (cp -rL copies a folder that way)."
        )


def _check_config(path: Path, where: str, code: Collection[str]) -> None:
    if not path.is_file():
        return
    config = _mapping(path, where)
    _check_no_code(path, config, where, code)
    if not isinstance(config.get("model_type"), str | None):
        raise UserError(f"{where}: config.json: model_type is {config['model_type']!r:.50}, but must be a name.")
    if type(config.get("pad_token_id")) not in (int, type(None)):
        raise UserError(f"{where}: config.json: pad_token_id is {config['pad_token_id']!r:.50}, but must be a number.")
    for key in _SIZES:
        if isinstance(size := config.get(key), int) and size > _LARGEST_SIZE:
            raise UserError(f"{where}: config.json: {key} is {size}, but must be at most {_LARGEST_SIZE}.")


def _check_tokenizer(folder: Path, where: str, code: Collection[str]) -> None:
    if (path := folder / "tokenizer_config.json").is_file():
        _check_no_code(path, _mapping(path, where), where, code)
    if (path := folder / "tokenizer.json").is_file() and not isinstance(
        _mapping(path, where).get("model"), dict | None
    ):
        raise UserError(f"{where}: tokenizer.json: model is not a JSON object. Take another copy of it.")


def _check_index(path: Path, where: str) -> None:
    """Check that the index of weights names only files beside it."""
    if not path.is_file():
        return
    files = _mapping(path, where).get("weight_map")
    if not isinstance(files, dict):
        raise UserError(f"{where}: {path.name} has no weight_map. Take another copy of it.")
    for name in files.values():
        if not isinstance(name, str) or PurePosixPath(name).name != name or not name.endswith(".safetensors"):
            raise UserError(
                f"{where}: {path.name} names {name!r:.100}, but weights must be *.safetensors files beside it."
            )


def _check_no_code(path: Path, content: dict[str, Any], where: str, code: Collection[str]) -> None:
    if "auto_map" in content and not code:
        raise UserError(f"{where}: {path.name} names the model's own code (auto_map). {_NO_CODE}")


def _mapping(path: Path, where: str) -> dict[str, Any]:
    """Return the JSON object in a file."""
    if path.stat().st_size > _JSON_BYTES:
        raise UserError(
            f"{where}: {path.name} has {path.stat().st_size} bytes, but at most {_JSON_BYTES} are allowed. Take "
            "another copy of it."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise UserError(f"{where}: {path.name} is nested too deeply. Take another copy of it.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{where}: {path.name} cannot be read ({error}). Take another copy of it.") from None
    if not isinstance(content, dict):
        raise UserError(f"{where}: {path.name} does not hold a JSON object. Take another copy of it.")
    return content
