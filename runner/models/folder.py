"""Take a model from a local folder as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.config.schema import ModelConfig
from runner.errors import UserError
from runner.models.raw_files import check_files
from runner.store.artifacts import folder_sha256

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.joblib", "*.npy")


def identity(model: ModelConfig) -> dict[str, Any]:
    """Return the hash of all files in the folder.

    Raises:
        UserError: see `fetch`.
    """
    return {"sha256": folder_sha256(fetch(model))}


def fetch(model: ModelConfig) -> Path:
    """Check the folder and return it.

    Raises:
        UserError: if it is missing, cannot be read, lacks config.json or weights (in safetensors, ONNX or
            OpenVINO's format), or holds a file that must not be loaded.
    """
    where = f"model '{model.name}': model.path"
    if not model.path:
        raise UserError(f"{where} is not set. Name the folder: model.path=/folder/of/the/model.")
    folder = Path(model.path).expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"{where} is {model.path}, but there is no such folder. Correct the path.")
    unreadable = [path for path in (folder, *folder.rglob("*")) if not _readable(path)]
    if unreadable:
        raise UserError(
            f"{where}: {unreadable[0]} cannot be read. Give this user permission to read it (chmod -R a+rX)."
        )
    if not (folder / "config.json").is_file():
        adapter = (folder / "adapter_config.json").is_file()
        hint = " but an adapter: merge it into its base model first (merge_and_unload of peft)" if adapter else ""
        raise UserError(
            f"{where} is {model.path}, which has no config.json{hint}. Take a folder that `save_pretrained` of "
            "transformers wrote."
        )
    if not any(folder.glob("*.safetensors")) and not any(_graphs(folder)):
        raise UserError(f"{where} is {model.path}, which has {_describe_weights(folder)}")
    check_files(folder, f"model '{model.name}'", model.source.code)
    return folder


def _graphs(folder: Path) -> Iterator[Path]:
    """Yield the graphs in ONNX, and those of OpenVINO, whose weights lie beside them."""
    yield from folder.rglob("*.onnx")
    yield from (path for path in folder.rglob("*.xml") if path.with_suffix(".bin").is_file())


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK)


def _describe_weights(folder: Path) -> str:
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    if not pickles:
        return "no weights. Add model.safetensors."
    return (
        f"{pickles[0]}, a pickle, but no safetensors. Loading a pickle may run any code, so it is refused. If you "
        f"trust the file, convert it: load the model with transformers and call save_pretrained, which writes "
        f"safetensors."
    )
