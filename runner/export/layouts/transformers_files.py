"""Write config.json, tokenizer.json and tokenizer_config.json, as transformers and libraries on top of it read them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from runner.config.task_kinds import MULTI_LABEL, SINGLE_LABEL
from runner.export.layouts.layout import Handover, Layout, refused, write_json
from runner.tasks.tokenizer import load_tokenizer, truncation_side

CONFIG = "config.json"
_PROBLEMS = {SINGLE_LABEL: "single_label_classification", MULTI_LABEL: "multi_label_classification"}


def check_padding(layout: Layout, handover: Handover) -> None:
    """Check that the tokenizer has a token for padding, since its config names the token and not its id."""
    if _pad_token(handover) is None:
        raise refused(
            layout,
            handover,
            f"Texts were padded with the id {handover.sources.pad_token_id}, but its tokenizer has no such token, and "
            "tokenizer_config.json can only name a token. Take --layout pinbox.",
        )


def model_config(handover: Handover) -> dict[str, Any]:
    """Return config.json: that of the last checkpoint, with the names of the labels as they were evaluated."""
    config: dict[str, Any] = json.loads((handover.sources.checkpoint / CONFIG).read_text(encoding="utf-8"))
    labels = handover.variant.labels
    if labels:
        config["id2label"] = {str(place): label for place, label in enumerate(labels)}
        config["label2id"] = {label: place for place, label in enumerate(labels)}
    if handover.variant.kind in _PROBLEMS:
        config["problem_type"] = _PROBLEMS[handover.variant.kind]
    return config


def write_transformers_files(
    handover: Handover, folder: Path, tokenizer_class: str = "PreTrainedTokenizerFast", **keys: Any
) -> None:
    """Write the three files.

    Args:
        handover: the variant.
        folder: the folder.
        tokenizer_class: the class that loads tokenizer.json.
        keys: further keys of config.json.
    """
    write_json(folder / CONFIG, model_config(handover) | keys)
    shutil.copyfile(handover.sources.tokenizer, folder / "tokenizer.json")
    tokenizer = {
        "tokenizer_class": tokenizer_class,
        "model_input_names": handover.sources.inputs,
        "model_max_length": handover.settings["max_length"],
        "pad_token": _pad_token(handover),
        "padding_side": "right",
        "truncation_side": truncation_side(load_tokenizer(handover.sources.checkpoint)),
    }
    write_json(folder / "tokenizer_config.json", tokenizer)


def _pad_token(handover: Handover) -> str | None:
    token: str | None = load_tokenizer(handover.sources.checkpoint).id_to_token(handover.sources.pad_token_id)
    return token
