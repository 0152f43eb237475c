"""The settings that head pruning and neuron pruning share: how many parts to remove, and how to choose them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runner.errors import UserError, did_you_mean
from runner.techniques.step import Step


@dataclass
class FractionPruning(Step):
    """checkpoint → checkpoint without a fraction of its parts.

    Attributes:
        fraction: the fraction of the parts to remove, above 0 and below 1.
        criterion: one of the step's `criteria`.
        seed: the seed of the samples' order.
        samples: the number of labelled training texts on which importance is computed.
    """

    takes = "checkpoint"
    gives = "checkpoint"
    criteria: ClassVar[tuple[str, ...]]

    fraction: float = 0.5
    criterion: str = "importance"
    seed: int = 0
    samples: int = 256

    def __post_init__(self) -> None:
        if isinstance(self.fraction, int | float) and not 0 < self.fraction < 1:
            raise UserError(f"step '{self.name}': fraction is {self.fraction}, but must be above 0 and below 1.")
        if isinstance(self.criterion, str) and self.criterion not in self.criteria:
            hint = did_you_mean(self.criterion, self.criteria)
            raise UserError(f"step '{self.name}': criterion is '{self.criterion}'. {hint}")
        if isinstance(self.samples, int) and self.samples < 1:
            raise UserError(f"step '{self.name}': samples is {self.samples}, but must be at least 1.")

    @property
    def reads_labels(self) -> bool:
        """Whether it needs labelled texts: only the criterion "importance" does."""
        return self.criterion == "importance"
