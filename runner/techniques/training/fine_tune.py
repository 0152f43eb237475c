"""Fine-tune a classifier on the task's training texts, and keep the epoch with the best validation accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.models.architectures import ARCHITECTURES
from runner.techniques.shape import Shape, check_layers
from runner.techniques.step import StepInputs, step
from runner.techniques.training.training import Objective, TrainingStep


@step("fine-tune")
@dataclass
class FineTune(TrainingStep):
    """checkpoint → checkpoint; see `runner.techniques.training.training`.

    Attributes:
        frozen_layers: how many of the lowest layers are not trained. The embeddings are not trained either, unless it
            is 0.
    """

    frozen_layers: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("frozen_layers", "at least 0", lambda value: value >= 0)

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the model has the layers to freeze."""
        if self.frozen_layers:
            check_layers(shape, self.name)
            architecture = ARCHITECTURES.get(str(shape.model_type))
            if architecture and architecture.one_layer_repeated:
                raise UserError(
                    f"step 'fine-tune': frozen_layers is {self.frozen_layers}, but {shape.model_type} repeats a single "
                    "layer. Set it to 0."
                )
            if shape.layers is not None and self.frozen_layers > shape.layers:
                raise UserError(
                    f"step 'fine-tune': frozen_layers is {self.frozen_layers}, but must be at most {shape.layers}, the "
                    "number of the model's layers."
                )
        return super().infer_shape(shape)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train the model, and return the loss, validation accuracy and seconds of every epoch."""
        from runner.engines.checkpoint import save_checkpoint
        from runner.techniques.pruning.layers import freeze_lowest

        assert inputs.source is not None
        model = self.start(inputs)
        if self.frozen_layers:
            freeze_lowest(model, self.frozen_layers, self.name)
        notes = self.fit(model, inputs, Objective())
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return notes
