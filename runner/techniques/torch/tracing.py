"""What every export of a checkpoint shares: a plain module of its inputs, example inputs, and a check of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from runner.engines.checkpoint import input_names, load_checkpoint, tells_tokens
from runner.engines.engine import named
from runner.errors import UserError
from runner.techniques.training.batches import positions

TOLERANCE = 1e-3  # of float32 logits, against the checkpoint; a wrong graph is off by far more


class Logits(nn.Module):
    """A classifier as a function of input_ids, attention_mask and, if it takes them, token_type_ids (int64, [batch,
    length]) to logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return logits [batch, labels], or of tokens [batch, length, labels], of the type of the weights."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask, **types).logits
        return logits

    def inputs(self) -> list[str]:
        """Return the names of its inputs, in order."""
        return input_names(self.model.config)

    @property
    def of_tokens(self) -> bool:
        """Whether each token has logits."""
        return tells_tokens(self.model.config)


def load_logits(folder: Path, attention: str) -> Logits:
    """Load a checkpoint as `Logits`; see `load_checkpoint` for `attention`."""
    return Logits(load_checkpoint(folder, attention)).eval()


@contextmanager
def exporting(step: str, model: Logits) -> Iterator[None]:
    """Say in words that torch or a runtime cannot export a model, whatever it raises.

    Args:
        step: its name.
        model: that is exported.
    """
    try:
        yield
    except (UserError, torch.onnx.errors.UnsupportedOperatorError):
        raise
    except Exception as error:
        config: Any = model.model.config
        said = (str(error).strip().splitlines() or ["nothing more is told"])[0].rstrip(".")
        raise UserError(
            f"step '{step}' cannot export a model of the architecture '{config.model_type}': "
            f"{type(error).__name__}: {said}. Take another technique, or exclude the two from meeting in the grid."
        ) from error


def example(model: Logits, batch: int, length: int) -> dict[str, torch.Tensor]:
    """Return the model's inputs by name: seeded input_ids, padded where attention_mask says so, whose first row is a
    whole text, the next half of one, a third …, and token_type_ids of two texts about as long.

    `length` is cut to what the model can take.
    """
    config: Any = model.model.config
    length = min(length, positions(config) or length)
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(5, config.vocab_size, (batch, length), generator=generator)
    attention_mask = torch.ones_like(input_ids)
    for row in range(1, batch):
        attention_mask[row, max(1, length // (row + 1)) :] = 0
    if config.pad_token_id is not None:  # by which decoders find a text's last token
        input_ids[attention_mask == 0] = config.pad_token_id
    token_type_ids = (torch.arange(length) >= length // 2).long().expand(batch, length).contiguous()
    every = named([input_ids, attention_mask, token_type_ids])
    return {name: every[name] for name in model.inputs()}


def largest_difference(
    model: Logits, exported: Callable[..., torch.Tensor], tolerance: float | None = TOLERANCE
) -> float:
    """Return the largest absolute difference of logits, on shapes that the export has not seen.

    Raises:
        ValueError: if it exceeds `tolerance` (None: any difference is only reported).
    """
    worst = 0.0
    with torch.inference_mode():
        for batch, length in ((1, 9), (3, 33)):
            inputs = example(model, batch, length)
            worst = max(worst, float((model(**inputs) - exported(**inputs)).abs().max()))
    if tolerance is not None and not worst <= tolerance:
        raise ValueError(f"the exported model's logits are off by {worst:.3g}, more than {tolerance:g}")
    return worst
