"""Functions that all exports of a checkpoint use: a module that returns logits, example inputs and a check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from runner.engines.checkpoint import classifies_tokens, input_names, load_checkpoint
from runner.engines.engine import named
from runner.errors import UserError, first_line
from runner.techniques.training.batches import positions

TOLERANCE = 1e-3  # the allowed difference of float32 logits; a wrong graph differs by far more


class Logits(nn.Module):
    """A classifier that takes input_ids, attention_mask and, if it uses them, token_type_ids, and returns logits.

    All inputs are int64 [batch, length].
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return logits [batch, labels], or [batch, length, labels] for tokens, in the weights' type."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        logits: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask, **types).logits
        return logits

    def inputs(self) -> list[str]:
        """Return the names of the model's inputs, in order."""
        return input_names(self.model.config)

    @property
    def of_tokens(self) -> bool:
        """Whether each token has logits."""
        return classifies_tokens(self.model.config)


def load_logits(folder: Path, attention: str) -> Logits:
    """Load a checkpoint as `Logits`; see `load_checkpoint` for `attention`."""
    return Logits(load_checkpoint(folder, attention)).eval()


@contextmanager
def exporting(step: str, model: Logits) -> Iterator[None]:
    """Turn any error that torch or a runtime raises during an export into a `UserError`.

    Args:
        step: the step's name, for the error.
        model: the model that is exported.
    """
    try:
        yield
    except (UserError, torch.onnx.errors.UnsupportedOperatorError):
        raise
    except Exception as error:
        config: Any = model.model.config
        raise UserError(
            f"step '{step}' cannot export a model of the architecture '{config.model_type}': {type(error).__name__}: "
            f"{first_line(error)}. Take another technique, or exclude this combination in the grid."
        ) from error


def example(model: Logits, batch: int, length: int) -> dict[str, torch.Tensor]:
    """Return example inputs of the model by name.

    The input_ids are random and seeded. The first row has no padding, the second is half a text, the third a third, and
    so on. The token_type_ids mark two texts of about the same length. `length` is cut to what the model can take.
    """
    config: Any = model.model.config
    length = min(length, positions(config) or length)
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(5, config.vocab_size, (batch, length), generator=generator)
    attention_mask = torch.ones_like(input_ids)
    for row in range(1, batch):
        attention_mask[row, max(1, length // (row + 1)) :] = 0
    if config.pad_token_id is not None:  # decoders find a text's last token by it
        input_ids[attention_mask == 0] = config.pad_token_id
    token_type_ids = (torch.arange(length) >= length // 2).long().expand(batch, length).contiguous()
    every = named([input_ids, attention_mask, token_type_ids])
    return {name: every[name] for name in model.inputs()}


def largest_difference(
    model: Logits, exported: Callable[..., torch.Tensor], tolerance: float | None = TOLERANCE
) -> float:
    """Return the largest absolute difference of logits on inputs of shapes that the export has not seen.

    Raises:
        ValueError: if the difference exceeds `tolerance`. None allows any difference.
    """
    worst = 0.0
    with torch.inference_mode():
        for batch, length in ((1, 9), (3, 33)):
            inputs = example(model, batch, length)
            worst = max(worst, float((model(**inputs) - exported(**inputs)).abs().max()))
    if tolerance is not None and not worst <= tolerance:
        raise ValueError(f"the exported model's logits are off by {worst:.3g}, more than {tolerance:g}")
    return worst
