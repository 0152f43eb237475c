"""What every export of a checkpoint shares: a plain module of two inputs, example inputs, and a check of the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from runner.engines.checkpoint import load_checkpoint

TOLERANCE = 1e-3  # of float32 logits, against the checkpoint; a wrong graph is off by far more


class Logits(nn.Module):
    """A classifier as a function of input_ids and attention_mask (int64, [batch, length]) to logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return logits [batch, labels], of the type of the weights."""
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def load_logits(folder: Path, attention: str) -> Logits:
    """Load a checkpoint as `Logits`; see `load_checkpoint` for `attention`."""
    return Logits(load_checkpoint(folder, attention)).eval()


def example(model: Logits, batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return seeded input_ids and an attention_mask: the first row is a whole text, the next half of one, a third …

    `length` is cut to what the model can take; two positions are left free, since RoBERTa numbers them from its padding
    id on.
    """
    config: Any = model.model.config
    length = min(length, config.max_position_embeddings - 2)
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(5, config.vocab_size, (batch, length), generator=generator)
    attention_mask = torch.ones_like(input_ids)
    for row in range(1, batch):
        attention_mask[row, max(1, length // (row + 1)) :] = 0
    return input_ids, attention_mask


def largest_difference(
    model: Logits, exported: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], tolerance: float | None = TOLERANCE
) -> float:
    """Return the largest absolute difference of logits, on shapes that the export has not seen.

    Raises:
        ValueError: if it exceeds `tolerance` (None: any difference is only reported).
    """
    worst = 0.0
    with torch.inference_mode():
        for batch, length in ((1, 9), (3, 33)):
            inputs = example(model, batch, length)
            worst = max(worst, float((model(*inputs) - exported(*inputs)).abs().max()))
    if tolerance is not None and not worst <= tolerance:
        raise ValueError(f"the exported model's logits are off by {worst:.3g}, more than {tolerance:g}")
    return worst
