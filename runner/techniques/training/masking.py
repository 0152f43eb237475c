"""Masked language modelling, as a loss beside others (Devlin et al., "BERT", 2019, arXiv:1810.04805)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from runner.errors import UserError
from runner.techniques.training.batches import NO_LABEL

_CHOSEN, _MASKED, _RANDOM = 0.15, 0.8, 0.1  # of all tokens; of those chosen


class Masking:
    """Hides tokens, and a head that says what they were: one dense layer, then the embeddings themselves.

    Args:
        tokenizer: a tokenizer.json; its special tokens are never hidden.
        hidden: width of the model's hidden states.
        seed: of the tokens that are hidden.

    Raises:
        UserError: if the tokenizer has no token for a mask.
    """

    def __init__(self, tokenizer: Path, hidden: int, seed: int) -> None:
        words = Tokenizer.from_file(str(tokenizer))
        special = {number: token.content for number, token in words.get_added_tokens_decoder().items() if token.special}
        masks = [number for number, content in special.items() if content in ("[MASK]", "<mask>")]
        if not masks:
            raise UserError("masked_weight is above 0, but the model's tokenizer has no [MASK] or <mask>. Set it to 0.")
        self._mask, self._vocabulary = masks[0], words.get_vocab_size()
        self._special = torch.tensor(sorted(special))
        self._generator = torch.Generator().manual_seed(seed)
        self._dense = torch.nn.Linear(hidden, hidden)
        torch.nn.init.eye_(self._dense.weight)

    def parameters(self) -> list[Any]:
        """Return the head's own ones."""
        return list(self._dense.parameters())

    def mask(self, batch: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """Return the batch with tokens hidden, and what they were: int64 [batch, length], NO_LABEL elsewhere."""
        ids = batch["input_ids"]
        chosen = self._draw(ids) < _CHOSEN
        chosen &= batch["attention_mask"].bool() & ~torch.isin(ids, self._special)
        fate = self._draw(ids)
        other = torch.randint(0, self._vocabulary, ids.shape, generator=self._generator)
        hidden = torch.where(chosen & (fate < _MASKED), self._mask, ids)
        hidden = torch.where(chosen & (fate >= 1 - _RANDOM), other, hidden)
        return batch | {"input_ids": hidden}, torch.where(chosen, ids, NO_LABEL)

    def loss(self, states: Any, words: Any, embeddings: Any) -> Any:
        """Return the cross-entropy with the hidden tokens, mean over them.

        Args:
            states: the last hidden states, [batch, length, hidden].
            words: as `mask` gave them.
            embeddings: of the tokens, [vocabulary, hidden].
        """
        chosen = words != NO_LABEL
        if not chosen.any():
            return states.sum() * 0
        said = functional.gelu(self._dense(states[chosen])) @ embeddings.T
        return functional.cross_entropy(said, words[chosen])

    def _draw(self, like: Any) -> Any:
        return torch.rand(like.shape, generator=self._generator)
