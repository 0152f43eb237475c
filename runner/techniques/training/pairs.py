"""Token types: which models are told by them where the second text of a pair begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.tasks.texts import read_pairs
from runner.tasks.tokenizer import load_tokenizer


def note_token_types(config: Any, folder: Path, texts: Path) -> None:
    """Note in a model's config that it is called with token types, if the task's texts have others than 0.

    BERT and its kin tell the texts of a pair apart by them; RoBERTa and its kin by separators alone.

    Args:
        config: of transformers, to be saved.
        folder: holds the tokenizer.json, which gives types to the tokens.
        texts: the task's folder.
    """
    from runner.engines.checkpoint import TOKEN_TYPES

    if (getattr(config, "type_vocab_size", None) or 0) < 2:
        return
    text = ("a", "b") if read_pairs(texts) else ("a",)
    if max(load_tokenizer(folder).encode(*text).type_ids, default=0) > 0:
        setattr(config, TOKEN_TYPES, True)
