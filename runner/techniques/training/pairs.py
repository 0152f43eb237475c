"""Find out whether a model takes token types, which mark the second text of a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.tasks.texts import read_pairs
from runner.tasks.tokenizer import load_tokenizer


def note_token_types(config: Any, folder: Path, texts: Path) -> None:
    """Note in a model's config that it takes token types, if the task's texts have types other than 0.

    Models like BERT distinguish the texts of a pair by token types, and models like RoBERTa by separators alone.

    Args:
        config: the model's config, which is saved later.
        folder: the folder of the tokenizer.json, which gives tokens their types.
        texts: the task's folder.
    """
    from runner.engines.checkpoint import TOKEN_TYPES

    if (getattr(config, "type_vocab_size", None) or 0) < 2:
        return
    text = ("a", "b") if read_pairs(texts) else ("a",)
    if max(load_tokenizer(folder).encode(*text).type_ids, default=0) > 0:
        setattr(config, TOKEN_TYPES, True)
