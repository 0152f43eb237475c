"""Fine-tune a classifier on the task's training texts; the best epoch by validation accuracy is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.techniques import StepInputs, step
from runner.techniques.shape import Shape, check_layers
from runner.techniques.training import Objective, TrainingStep


@step("fine-tune")
@dataclass
class FineTune(TrainingStep):
    """checkpoint → checkpoint; see `runner.techniques.training`.

    Attributes:
        frozen_layers: how many of the lowest layers stay as they are, and the embeddings with them; 0 trains all.
    """

    frozen_layers: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("frozen_layers", "at least 0", lambda value: value >= 0)

    def fits(self, shape: Shape) -> Shape:
        """The same shape, if there are as many layers as are to be frozen."""
        if self.frozen_layers:
            check_layers(shape, self.name)
            if shape.layers is not None and self.frozen_layers > shape.layers:
                raise UserError(
                    f"step 'fine-tune': frozen_layers is {self.frozen_layers}, but the model has {shape.layers} layers."
                )
        return super().fits(shape)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train; return the loss, validation accuracy and seconds of every epoch."""
        from runner.engines.checkpoint import save_checkpoint

        assert inputs.source is not None
        model = self.start(inputs)
        _freeze(model, self.frozen_layers)
        notes = self.fit(model, inputs, Objective())
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return notes


def _freeze(model: Any, layers: int) -> None:
    """Leave out of training the embeddings and the lowest layers: no gradient need flow that far down."""
    if layers:
        model.base_model.embeddings.requires_grad_(False)
        model.base_model.encoder.layer[:layers].requires_grad_(False)
