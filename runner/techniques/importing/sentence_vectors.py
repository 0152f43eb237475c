"""Check that `Embedder` makes the same vectors as a sentence-transformers folder says.

Such a folder holds the encoder and modules.json, which lists the modules that come after the encoder, each with its own
folder. A folder whose modules Pinbox does not follow is refused, because the vectors would differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runner.errors import UserError

MODULES = "modules.json"
_SETTINGS, _PROMPTS = "sentence_bert_config.json", "config_sentence_transformers.json"
_POOLINGS = {"mean": "mean", "mean_tokens": "mean", "cls": "first", "cls_token": "first"}  # the values of `head`
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")  # the first of these that a folder has
_SAME_ORDER = (None, "cosine")  # these order neighbours as the cosine does; with vectors of length 1, all do


def check_vectors(files: Path, head: str, where: str) -> bool:
    """Check that vectors are made as the folder says, and return whether each is divided by its length.

    Args:
        files: the model's folder. Without modules.json, `head` alone says how vectors are made.
        head: mean or first.
        where: the model's name in errors.

    Raises:
        UserError: if the folder contradicts `head`, or has a module that Pinbox does not follow.
    """
    if not (files / MODULES).is_file():
        return False
    entries = _read(files, MODULES, list)
    modules = [(str(entry.get("type")).rpartition(".")[2], str(entry.get("path"))) for entry in entries]
    kinds = [kind for kind, _ in modules]
    unknown = [path or kind for kind, path in modules if kind not in ("Transformer", "Pooling", "Normalize")]
    if unknown or kinds[:2] != ["Transformer", "Pooling"] or kinds.count("Pooling") > 1 or modules[0][1]:
        raise UserError(
            f"{where}: {MODULES} makes a vector by {', '.join(path or kind for kind, path in modules)}, but "
            f"{', '.join(unknown) or 'this order'} is not supported: the vectors would differ. Take a model of a "
            "Transformer, a Pooling and at most a Normalize."
        )
    pooling = _read(files, f"{modules[1][1]}/config.json")
    _check_pooling(pooling, modules[1][1], head, where)
    if pooling.get("include_prompt") is False and any(prompts_of(files)):
        raise UserError(
            f"{where}: {modules[1][1]}/config.json: include_prompt is false, which leaves a prompt's tokens out of "
            "the vector. This is not supported. Take another model."
        )
    if _read(files, _SETTINGS).get("do_lower_case"):
        raise UserError(f"{where}: {_SETTINGS}: do_lower_case is true, which is not supported. Take another model.")
    _check_prompts(_read(files, _PROMPTS), "Normalize" in kinds, where)
    return "Normalize" in kinds


def prompts_of(files: Path) -> tuple[str, str]:
    """Return what comes before each query and before each document, as sentence-transformers takes it from the folder.

    Args:
        files: the model's folder.

    Raises:
        UserError: if the file that names prompts cannot be read.
    """
    named = _read(files, _PROMPTS).get("prompts") if (files / MODULES).is_file() else None
    prompts = named if isinstance(named, dict) else {}
    document = next((prompts[name] for name in _DOCUMENT_PROMPTS if name in prompts), "")
    return str(prompts.get("query") or ""), str(document or "")


def pooling_of(files: Path, where: str) -> str | None:
    """Return how a folder pools its tokens' vectors, as `head` names it; None if no file says it.

    Raises:
        UserError: if it pools them in a way that Pinbox does not follow.
    """
    kinds = {str(entry.get("type")).rpartition(".")[2]: str(entry.get("path")) for entry in _read(files, MODULES, list)}
    folder = kinds.get("Pooling")
    return _pooling(_read(files, f"{folder}/config.json"), folder, where)[0] if folder else None


def sentence_length(files: Path) -> int | None:
    """Return the number of tokens to which sentence-transformers cuts a text; None if no file names it."""
    try:
        length = _read(files, _SETTINGS).get("max_seq_length") if (files / MODULES).is_file() else None
    except UserError:
        return None  # `check_vectors` reports the error
    return length if type(length) is int else None


def _check_pooling(config: dict[str, Any], folder: str, head: str, where: str) -> None:
    """Check that the folder's pooling is the one that `head` asks for."""
    pooling, mode = _pooling(config, folder, where)
    if pooling != head:
        raise UserError(
            f"{where}: {folder}/config.json pools tokens by {mode}, but the first of model.steps has the head {head}. "
            f"Set head: {pooling} there."
        )


def _pooling(config: dict[str, Any], folder: str, where: str) -> tuple[str, str]:
    """Return the pooling as `head` names it, and as the folder does. Older versions have a key for each mode."""
    modes = [key.removeprefix("pooling_mode_") for key, on in config.items() if on is True and "pooling_mode_" in key]
    if not modes:
        mode = config.get("pooling_mode")
        modes = [str(entry) for entry in mode] if isinstance(mode, list) else [str(mode)]
    pooling = _POOLINGS.get(modes[0]) if len(modes) == 1 else None
    if pooling is None:
        raise UserError(
            f"{where}: {folder}/config.json pools tokens by {' and '.join(modes)}, which is not supported. Take a "
            "model that pools by mean or cls."
        )
    return pooling, modes[0]


def _check_prompts(config: dict[str, Any], normalized: bool, where: str) -> None:
    prompt = config.get("default_prompt_name")
    if prompt is not None and (config.get("prompts") or {}).get(prompt) != "":
        raise UserError(
            f"{where}: {_PROMPTS}: default_prompt_name is {prompt!r:.50}, which puts a prompt before every text. "
            "Pinbox does not do so. Write the prompt into the texts, and set default_prompt_name to null."
        )
    similarity = config.get("similarity_fn_name")
    if similarity not in _SAME_ORDER and not normalized:
        raise UserError(
            f"{where}: {_PROMPTS}: similarity_fn_name is {similarity!r:.50}, but Pinbox compares vectors by their "
            "cosine, which finds other neighbours. Take another model."
        )


def _read(files: Path, name: str, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
    """Return the content of a JSON file in the folder; an empty value if there is no such file."""
    path = files / name
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else kind()
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"model: {name} cannot be read ({error}). Take another copy of it.") from None
    if not isinstance(content, kind) or (kind is list and not all(isinstance(entry, dict) for entry in content)):
        raise UserError(f"model: {name} is not what sentence-transformers writes. Take another copy of it.")
    return content
