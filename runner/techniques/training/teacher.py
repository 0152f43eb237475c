"""The teacher of a distillation."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch


class Answers(NamedTuple):
    """What a teacher says to a batch: logits [texts, labels], and the hidden states of all tokens that are not padding,
    text after text, of each of the layers asked for [tokens, layers, hidden]."""

    logits: Any
    hidden: Any


class Teacher:
    """A model that is asked once per text: in eval mode, its answer is the same in every epoch.

    Args:
        model: a classifier.
        layers: whose hidden states are told, from 1; by default the last one's.
        remembers: False where hardly a text comes twice.
    """

    def __init__(self, model: Any, layers: tuple[int, ...] = (-1,), remembers: bool = True) -> None:
        self._model, self._layers, self._remembers = model.eval(), layers, remembers
        self._known: dict[tuple[int, ...], Answers] = {}

    def answer(self, batch: dict[str, Any]) -> Answers:
        """Return its answers to input_ids and attention_mask, both int64 [texts, length]."""
        masks = batch["attention_mask"].bool()
        if not self._remembers:
            return self._ask(batch)
        texts = [tuple(row[mask].tolist()) for row, mask in zip(batch["input_ids"], masks, strict=True)]
        if not all(text in self._known for text in texts):
            asked = self._ask(batch)
            hidden = asked.hidden.split([len(text) for text in texts])
            self._known |= {text: Answers(*both) for text, *both in zip(texts, asked.logits, hidden, strict=True)}
        answers = [self._known[text] for text in texts]
        return Answers(torch.stack([one.logits for one in answers]), torch.cat([one.hidden for one in answers]))

    def _ask(self, batch: dict[str, Any]) -> Answers:
        with torch.no_grad():
            said = self._model(**batch, output_hidden_states=True)
        mask = batch["attention_mask"].bool()
        return Answers(said.logits, torch.stack([said.hidden_states[layer][mask] for layer in self._layers], 1))
