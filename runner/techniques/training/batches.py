"""Make padded batches of tokens for the steps that run a model over the task's texts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from runner.engines.checkpoint import TOKEN_TYPES
from runner.models.architectures import positions_for_texts
from runner.tasks.texts import Example
from runner.tasks.tokenizer import load_tokenizer

NO_LABEL = -100  # torch's cross_entropy ignores this label


def _label_rows(examples: Sequence[Example], count: int) -> list[Any]:
    """Return each example's label, or a row of 0 and 1 for each example if some have several labels."""
    if not any(isinstance(example.label, tuple) for example in examples):
        return [NO_LABEL if example.label is None else example.label for example in examples]
    rows = []
    for example in examples:
        known = example.label if isinstance(example.label, tuple) else None
        rows.append([float(NO_LABEL) if known is None else float(number in known) for number in range(count)])
    return rows


def positions(config: Any) -> int | None:
    """Return how many tokens a model can take; None if its config has no limit."""
    limit: int | None = getattr(config, "max_position_embeddings", None)
    return positions_for_texts(config.model_type, limit, config.pad_token_id) if limit else None


class Batches:
    """Tokenized examples in batches. The texts of a batch have about the same length, so that there is little padding.

    Args:
        checkpoint: the folder whose tokenizer.json is used.
        examples: texts or pairs, with labels or without. The longer text of a pair is cut first.
        max_length: the number of tokens to which a text is cut, special tokens included.
        config: the model's config, which has the padding id and says whether the model takes token types.
    """

    def __init__(self, checkpoint: Path, examples: Sequence[Example], max_length: int, config: Any) -> None:
        encodings = load_tokenizer(checkpoint, max_length).encode_batch(
            [example.tokenizer_input for example in examples]
        )
        self._ids = [encoding.ids for encoding in encodings]
        self._types = [encoding.type_ids for encoding in encodings] if getattr(config, TOKEN_TYPES, False) else None
        self._labels = _label_rows(examples, config.num_labels)
        self._pad = config.pad_token_id

    def count(self, size: int) -> int:
        """Return the number of batches of `size` texts."""
        return -(-len(self._ids) // size)

    def in_order(self, size: int) -> Iterator[dict[str, Any]]:
        """Yield every example once in batches, shortest first."""
        order = sorted(range(len(self._ids)), key=lambda index: len(self._ids[index]))
        for start in range(0, len(order), size):
            yield self._batch(order[start : start + size])

    def shuffled(self, size: int, generator: random.Random) -> Iterator[dict[str, Any]]:
        """Yield every example once in random batches, which are sorted by length within pools of ten batches."""
        order = list(range(len(self._ids)))
        generator.shuffle(order)
        groups: list[list[int]] = []
        for start in range(0, len(order), 10 * size):
            pool = sorted(order[start : start + 10 * size], key=lambda index: len(self._ids[index]))
            groups += [pool[first : first + size] for first in range(0, len(pool), size)]
        generator.shuffle(groups)
        for group in groups:
            yield self._batch(group)

    def _batch(self, group: Sequence[int]) -> dict[str, Any]:
        """Return the inputs that the model takes, int64 [batch, longest], and the labels.

        Labels are int64 [batch], or float32 [batch, labels] of 0 and 1 if texts have several labels. A text without a
        label has NO_LABEL.
        """
        longest = max(len(self._ids[index]) for index in group)

        def padded(rows: list[list[int]], value: int) -> torch.Tensor:
            return torch.tensor([row + [value] * (longest - len(row)) for row in rows])

        ids = [self._ids[index] for index in group]
        types = {"token_type_ids": padded([self._types[index] for index in group], 0)} if self._types else {}
        return {
            "input_ids": padded(ids, self._pad),
            "attention_mask": padded([[1] * len(row) for row in ids], 0),
            **types,
            "labels": torch.tensor([self._labels[index] for index in group]),
        }
