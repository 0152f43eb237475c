"""The last layer, computed for the first token alone: a classifier of BERT's kind reads no other one's hidden state.

Its keys and values still come from all tokens, so logits stay the same; queries, the output of attention and the
feed-forward network are one token's. Goyal et al., "PoWER-BERT", ICML 2020 (arXiv:2001.08950), leave out tokens in
every layer, at some loss; in the last one, all but the first can go without any.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class FirstTokenAttention(nn.Module):
    """Attention of the first token to all.

    Args:
        attention: a layer's `attention.self`, whose projections it takes.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.query, self.key, self.value = attention.query, attention.key, attention.value
        self._head_size = attention.attention_head_size

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the first token's state [batch, 1, heads · head size], and its weights [batch, heads, 1, length].

        Args:
            hidden: states of all tokens, [batch, length, hidden].
            attention_mask: what is added to the scores, [batch, 1, length, length].
        """
        query, key, value = self._heads(self.query(hidden[:, :1])), self.key(hidden), self.value(hidden)
        scores = query @ self._heads(key).transpose(2, 3) * self._head_size**-0.5
        if attention_mask is not None:
            scores = scores + attention_mask[:, :, :1]
        weights = scores.softmax(-1)
        attended = (weights @ self._heads(value)).transpose(1, 2)
        return attended.reshape(hidden.shape[0], 1, -1), weights

    def _heads(self, states: torch.Tensor) -> torch.Tensor:
        """Return [batch, heads, tokens, head size]."""
        return states.view(*states.shape[:2], -1, self._head_size).transpose(1, 2)


class FirstTokenOutput(nn.Module):
    """What follows attention, with the first token's residual.

    Args:
        output: a layer's `attention.output`, whose parts it takes.
    """

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.dense, self.LayerNorm = output.dense, output.LayerNorm

    def forward(self, attended: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return the first token's state [batch, 1, hidden]."""
        state: torch.Tensor = self.LayerNorm(self.dense(attended) + hidden[:, :1])
        return state


def read_first_token(model: Any) -> None:
    """Make a classifier's last layer compute its first token alone; names of modules stay as they are."""
    last = model.base_model.encoder.layer[-1].attention
    last.self, last.output = FirstTokenAttention(last.self), FirstTokenOutput(last.output)
