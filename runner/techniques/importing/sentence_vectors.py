"""How a sentence-transformers folder makes a text's vector, and whether `Embedder` makes the same one.

Such a folder has, beside the encoder, modules.json: the modules that come after it, each with a folder of its own.
What is not followed is refused: the vectors would be others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runner.errors import UserError

MODULES = "modules.json"
_SETTINGS, _PROMPTS = "sentence_bert_config.json", "config_sentence_transformers.json"
_POOLINGS = {"mean": "mean", "mean_tokens": "mean", "cls": "first", "cls_token": "first"}  # what `head` calls them
_SAME_ORDER = (None, "cosine")  # as the cosine has it; of vectors of length 1, any has


def check_vectors(files: Path, head: str, where: str) -> bool:
    """Check that vectors are made as the folder says; return whether each is divided by its length.

    Args:
        files: of the model; without modules.json, `head` alone says how vectors are made.
        head: mean or first.
        where: names the model in errors.

    Raises:
        UserError: if the folder says otherwise, or has a module that is not followed.
    """
    if not (files / MODULES).is_file():
        return False
    modules = [(str(one.get("type")).rpartition(".")[2], str(one.get("path"))) for one in _read(files, MODULES, list)]
    kinds = [kind for kind, _ in modules]
    unknown = [path or kind for kind, path in modules if kind not in ("Transformer", "Pooling", "Normalize")]
    if unknown or kinds[:2] != ["Transformer", "Pooling"] or kinds.count("Pooling") > 1 or modules[0][1]:
        raise UserError(
            f"{where}: {MODULES} makes a vector by {', '.join(path or kind for kind, path in modules)}, and "
            f"{', '.join(unknown) or 'this order'} is not followed: the vectors would be others. Take a model of a "
            "Transformer, a Pooling and at most a Normalize."
        )
    _check_pooling(_read(files, f"{modules[1][1]}/config.json"), modules[1][1], head, where)
    if _read(files, _SETTINGS).get("do_lower_case"):
        raise UserError(f"{where}: {_SETTINGS}: do_lower_case is true, which is not followed. Take another model.")
    _check_prompts(_read(files, _PROMPTS), "Normalize" in kinds, where)
    return "Normalize" in kinds


def sentence_length(files: Path) -> int | None:
    """Return how many tokens sentence-transformers cuts a text to; None where nothing says so."""
    try:
        said = _read(files, _SETTINGS).get("max_seq_length") if (files / MODULES).is_file() else None
    except UserError:
        return None  # `check_vectors` tells
    return said if type(said) is int else None


def _check_pooling(config: dict[str, Any], folder: str, head: str, where: str) -> None:
    """Check that the folder's pooling is the one that `head` asks for; older versions have a key for each mode."""
    modes = [key.removeprefix("pooling_mode_") for key, on in config.items() if on is True and "pooling_mode_" in key]
    if not modes:
        said = config.get("pooling_mode")
        modes = [str(one) for one in said] if isinstance(said, list) else [str(said)]
    own = _POOLINGS.get(modes[0]) if len(modes) == 1 else None
    if own is None:
        raise UserError(
            f"{where}: {folder}/config.json pools tokens by {' and '.join(modes)}, which is not followed. Take a model "
            "that pools by mean or cls."
        )
    if own != head:
        raise UserError(
            f"{where}: {folder}/config.json pools tokens by {modes[0]}, but the step import-checkpoint has the head "
            f"{head}. Say model.steps=[{{step: import-checkpoint, head: {own}}}]."
        )


def _check_prompts(config: dict[str, Any], normalized: bool, where: str) -> None:
    prompt = config.get("default_prompt_name")
    if prompt is not None and (config.get("prompts") or {}).get(prompt) != "":
        raise UserError(
            f"{where}: {_PROMPTS}: default_prompt_name is {prompt!r:.50}: a prompt comes before every text, which is "
            "not done here. Write the prompt into the texts, and null there."
        )
    similarity = config.get("similarity_fn_name")
    if similarity not in _SAME_ORDER and not normalized:
        raise UserError(
            f"{where}: {_PROMPTS}: similarity_fn_name is {similarity!r:.50}, but vectors are compared by their cosine, "
            "which finds other neighbours. Take another model."
        )


def _read(files: Path, name: str, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
    """Return what a JSON file of the folder holds; nothing where there is none."""
    path = files / name
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else kind()
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"model: {name} cannot be read ({error}). Take another copy of it.") from None
    if not isinstance(content, kind) or (kind is list and not all(isinstance(one, dict) for one in content)):
        raise UserError(f"model: {name} is not what sentence-transformers writes. Take another copy of it.")
    return content
