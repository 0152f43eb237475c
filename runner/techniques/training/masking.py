"""Compute the loss of masked language modelling (Devlin et al., "BERT", 2019, arXiv:1810.04805)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional

from runner.errors import UserError
from runner.techniques.training.batches import NO_LABEL

_CHOSEN = 0.15  # the share of all tokens that is chosen
_MASKED, _RANDOM = 0.8, 0.1  # the shares of the chosen tokens that become a mask or a random token


class Masking:
    """A mask for tokens, and a head that predicts them: one dense layer and the embeddings.

    Args:
        tokenizer: a tokenizer.json, whose special tokens are never masked.
        hidden: the width of the model's hidden states.
        seed: the seed of the choice of tokens.

    Raises:
        UserError: if the tokenizer has no mask token.
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
        """Return the parameters of the dense layer."""
        return list(self._dense.parameters())

    def mask(self, batch: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """Return the batch with masked tokens, and the original tokens, int64 [batch, length], NO_LABEL elsewhere."""
        ids = batch["input_ids"]
        chosen = self._draw(ids) < _CHOSEN
        chosen &= batch["attention_mask"].bool() & ~torch.isin(ids, self._special)
        fate = self._draw(ids)
        other = torch.randint(0, self._vocabulary, ids.shape, generator=self._generator)
        hidden = torch.where(chosen & (fate < _MASKED), self._mask, ids)
        hidden = torch.where(chosen & (fate >= 1 - _RANDOM), other, hidden)
        return batch | {"input_ids": hidden}, torch.where(chosen, ids, NO_LABEL)

    def loss(self, states: Any, words: Any, embeddings: Any) -> Any:
        """Return the mean cross-entropy over the masked tokens.

        Args:
            states: the last hidden states, [batch, length, hidden].
            words: the original tokens, as `mask` returns them.
            embeddings: the embeddings of all tokens, [vocabulary, hidden].
        """
        chosen = words != NO_LABEL
        if not chosen.any():
            return states.sum() * 0
        logits = functional.gelu(self._dense(states[chosen])) @ embeddings.T
        return functional.cross_entropy(logits, words[chosen])

    def _draw(self, like: Any) -> Any:
        return torch.rand(like.shape, generator=self._generator)
