"""Compute the last layer for the first token alone, since a classifier like BERT's reads only its hidden state.

The layer's keys and values still come from all tokens, so logits stay the same. Queries, the output of attention and
the feed-forward network are computed for one token. Goyal et al., "PoWER-BERT", ICML 2020 (arXiv:2001.08950), leave
out tokens in every layer and lose accuracy. In the last layer, all tokens except the first can be left out without
loss.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class FirstTokenAttention(nn.Module):
    """Attention of the first token to all tokens.

    Args:
        attention: a layer's `attention.self`, whose projections are used.
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
            hidden: the states of all tokens, [batch, length, hidden].
            attention_mask: the values to add to the scores, [batch, 1, length, length].
        """
        query, key, value = self._heads(self.query(hidden[:, :1])), self.key(hidden), self.value(hidden)
        scores = query @ self._heads(key).transpose(2, 3) * self._head_size**-0.5
        if attention_mask is not None:
            scores = scores + attention_mask[:, :, :1]
        weights = scores.softmax(-1)
        attended = (weights @ self._heads(value)).transpose(1, 2)
        return attended.reshape(hidden.shape[0], 1, -1), weights

    def _heads(self, states: torch.Tensor) -> torch.Tensor:
        """Return the states by head, [batch, heads, tokens, head size]."""
        return states.view(*states.shape[:2], -1, self._head_size).transpose(1, 2)


class FirstTokenOutput(nn.Module):
    """The output layer of attention, with the first token's residual.

    Args:
        output: a layer's `attention.output`, whose parts are used.
    """

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.dense, self.LayerNorm = output.dense, output.LayerNorm

    def forward(self, attended: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return the first token's state [batch, 1, hidden]."""
        state: torch.Tensor = self.LayerNorm(self.dense(attended) + hidden[:, :1])
        return state


def read_first_token(model: Any) -> None:
    """Make a classifier's last layer compute only the first token. The names of modules stay the same."""
    last = model.base_model.encoder.layer[-1].attention
    last.self, last.output = FirstTokenAttention(last.self), FirstTokenOutput(last.output)
