"""Fine-tune a classifier on the task's training texts; the best epoch by validation accuracy is kept."""

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
        frozen_layers: how many of the lowest layers stay as they are, and the embeddings with them; 0 trains all.
    """

    frozen_layers: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("frozen_layers", "at least 0", lambda value: value >= 0)

    def infer_shape(self, shape: Shape) -> Shape:
        """The same shape, if there are as many layers as are to be frozen."""
        if self.frozen_layers:
            check_layers(shape, self.name)
            architecture = ARCHITECTURES.get(str(shape.model_type))
            if architecture and architecture.one_layer_repeated:
                raise UserError(
                    f"step 'fine-tune': frozen_layers is {self.frozen_layers}, but the layers of {shape.model_type} "
                    "are all the same one. Set it to 0."
                )
            if shape.layers is not None and self.frozen_layers > shape.layers:
                raise UserError(
                    f"step 'fine-tune': frozen_layers is {self.frozen_layers}, but the model has {shape.layers} layers."
                )
        return super().infer_shape(shape)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train; return the loss, validation accuracy and seconds of every epoch."""
        from runner.engines.checkpoint import save_checkpoint
        from runner.techniques.pruning.layers import freeze_lowest

        assert inputs.source is not None
        model = self.start(inputs)
        if self.frozen_layers:
            freeze_lowest(model, self.frozen_layers, self.name)
        notes = self.fit(model, inputs, Objective())
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return notes
