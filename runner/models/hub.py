"""Take a model from the Hugging Face hub, pinned to a revision."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from runner.config.schema import ModelConfig
from runner.errors import UserError, first_line
from runner.models.raw_files import check_files

_REVISION = re.compile(r"[0-9a-f]{40}")
_FILES = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*", "vocab*", "merges.txt",
          "special_tokens_map.json", "added_tokens.json", "*.model",
          "modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "*_Pooling/config.json",
          "adapter_config.json", "config_setfit.json"]  # fmt: skip
_SECONDS = 10  # the time to wait for the hub's first answer


def identity(model: ModelConfig) -> dict[str, Any]:
    """Return the hub id, the revision, which is a commit and so never changes, and the names of the model's code.

    Raises:
        UserError: if the hub id or the revision is missing, or if the revision is not a commit.
    """
    source = model.source
    if not source.hub_id or "/" not in source.hub_id:
        raise UserError(
            f"model '{model.name}': source.hub_id is '{source.hub_id}', but must be an owner and a name, such as "
            f"FacebookAI/roberta-base."
        )
    if not source.revision or not _REVISION.fullmatch(source.revision):
        raise UserError(
            f"model '{model.name}': source.revision is '{source.revision}', but must be a commit, 40 hexadecimal "
            f"digits: a branch may change between two runs. The model's page lists its commits."
        )
    return {"hub_id": source.hub_id, "revision": source.revision} | ({"code": source.code} if source.code else {})


def newest_commit(hub_id: str) -> str:
    """Return the commit that the main branch of a model is at; without the hub, the newest one in its local cache.

    Raises:
        UserError: if the hub cannot be reached or does not have the model, and the cache does not have it either.
    """
    from huggingface_hub import HfApi, snapshot_download

    try:
        return str(HfApi().model_info(hub_id, timeout=_SECONDS).sha)
    except Exception as error:  # the errors of the hub, of httpx and of the system have no common base class
        reason = first_line(error)
    try:
        return Path(snapshot_download(hub_id, allow_patterns=_FILES, local_files_only=True)).name
    except (OSError, ValueError):
        raise UserError(
            f"{hub_id} cannot be fetched from the hub ({reason}), and there is no folder of that name here. Correct "
            "the name, or name the folder of a copy."
        ) from None


def fetch(model: ModelConfig, downloads: Path) -> Path:
    """Return a folder with config, safetensors and tokenizer. They come from the local hub cache if it has them.

    Raises:
        UserError: if the revision is not a commit, if the hub cannot be reached, or if the model lacks safetensors or
            holds a file that must not be loaded.
    """
    pin = identity(model)
    with_code = "".join(f"-{name}" for name in model.source.code)
    folder = downloads / "hub" / f"{pin['hub_id'].replace('/', '--')}-{pin['revision']}{with_code}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    snapshot = _snapshot(model)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        whole = Path(work) / "whole"
        shutil.copytree(snapshot, whole)  # the cache holds links, which a box cannot follow
        check_files(whole, f"model '{model.name}'", model.source.code)
        if not folder.is_dir():
            whole.rename(folder)
    return folder


def _snapshot(model: ModelConfig) -> Path:
    """Return the hub cache's folder of this revision with all its files."""
    from huggingface_hub import HfApi, snapshot_download

    wanted = [*_FILES, *model.source.code]
    pin: dict[str, Any] = {"repo_id": model.source.hub_id, "revision": model.source.revision, "allow_patterns": wanted}
    try:
        path = Path(snapshot_download(**pin, local_files_only=True))
        if _complete(path, model.source.code):
            return path
    except (OSError, ValueError):
        pass  # not in the cache: ask the hub
    try:
        # Without a network, a download retries for half a minute, but a plain request fails at once.
        HfApi().model_info(str(model.source.hub_id), revision=model.source.revision, timeout=_SECONDS)
        path = Path(snapshot_download(**pin))
    except Exception as error:  # the errors of the hub, of httpx and of the system have no common base class
        raise UserError(_unreachable(model, error)) from None
    if not _complete(path, model.source.code):
        raise UserError(
            f"model '{model.name}': {model.source.hub_id} lacks files at {model.source.revision}: config.json, weights "
            f"in safetensors (pickles are not loaded) or a file that model.source.code names. Take another revision or "
            f"model."
        )
    return path


def _complete(path: Path, code: list[str]) -> bool:
    """Return whether a folder has config, code and all files of the weights."""
    index = path / "model.safetensors.index.json"
    weights = {"model.safetensors"}
    if index.is_file():
        weights = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((path / name).is_file() for name in {"config.json", *code} | weights)


def _unreachable(model: ModelConfig, error: Exception) -> str:
    return (
        f"model '{model.name}': cannot get {model.source.hub_id} from the hub ({first_line(error)}). Run it once while "
        f"the hub can be reached, or take model.weights=random (the same size and speed, no accuracy), or a copy on "
        f"disk: model=folder model.path=/folder/of/the/model."
    )
