"""Pairs of texts: which models are told by token types where the second text begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.tasks import read_pairs


def note_token_types(config: Any, tokenizer: Path, texts: Path) -> None:
    """Note in a model's config that it is called with token types, if the task's texts are pairs and it knows two.

    BERT and its kin tell the texts of a pair apart by them; RoBERTa and its kin by separators alone.

    Args:
        config: of transformers, to be saved.
        tokenizer: the tokenizer.json, which must give the second text another type.
        texts: the task's folder.
    """
    from tokenizers import Tokenizer

    from runner.engines.checkpoint import TOKEN_TYPES

    if not read_pairs(texts) or (getattr(config, "type_vocab_size", None) or 0) < 2:
        return
    if max(Tokenizer.from_file(str(tokenizer)).encode("a", "b").type_ids, default=0) > 0:
        setattr(config, TOKEN_TYPES, True)
