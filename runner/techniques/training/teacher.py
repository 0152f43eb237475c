"""Run the teacher of a distillation, once for each text."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch


class TeacherOutputs(NamedTuple):
    """The outputs of a teacher for a batch.

    Attributes:
        logits: [texts, labels].
        hidden: the hidden states of all tokens except padding, text after text, [tokens, layers, hidden].
    """

    logits: Any
    hidden: Any


class Teacher:
    """A model in eval mode. Its outputs for a text are the same in every epoch, so they are computed once.

    Args:
        model: a classifier.
        layers: the layers whose hidden states are returned, numbered from 1; by default the last one.
        cache: whether outputs are kept. This is useless if few texts occur twice.
    """

    def __init__(self, model: Any, layers: tuple[int, ...] = (-1,), cache: bool = True) -> None:
        self._model, self._layers, self._cache = model.eval(), layers, cache
        self._known: dict[tuple[int, ...], TeacherOutputs] = {}

    def outputs(self, batch: dict[str, Any]) -> TeacherOutputs:
        """Return the outputs for input_ids and attention_mask, both int64 [texts, length]."""
        masks = batch["attention_mask"].bool()
        if not self._cache:
            return self._run(batch)
        texts = [tuple(row[mask].tolist()) for row, mask in zip(batch["input_ids"], masks, strict=True)]
        if not all(text in self._known for text in texts):
            computed = self._run(batch)
            hidden = computed.hidden.split([len(text) for text in texts])
            rows = zip(texts, computed.logits, hidden, strict=True)
            self._known |= {text: TeacherOutputs(*both) for text, *both in rows}
        known = [self._known[text] for text in texts]
        logits = torch.stack([outputs.logits for outputs in known])
        return TeacherOutputs(logits, torch.cat([outputs.hidden for outputs in known]))

    def _run(self, batch: dict[str, Any]) -> TeacherOutputs:
        with torch.no_grad():
            outputs = self._model(**batch, output_hidden_states=True)
        mask = batch["attention_mask"].bool()
        hidden = torch.stack([outputs.hidden_states[layer][mask] for layer in self._layers], 1)
        return TeacherOutputs(outputs.logits, hidden)
