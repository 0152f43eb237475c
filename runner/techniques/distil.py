"""Knowledge distillation: a student of fewer layers learns from the model it was cut from.

Sanh et al., "DistilBERT, a distilled version of BERT", 2019 (arXiv:1910.01108); soft targets after Hinton, Vinyals and
Dean, 2015 (arXiv:1503.02531). DistilBERT's third term is that of masked language modelling, on texts without labels. A
checkpoint here is a classifier and has no head for it, so the labels' cross-entropy stands in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.techniques import StepInputs, step
from runner.techniques.layer_pruning import check_keep, keep_in_shape, keep_layers
from runner.techniques.shape import Shape
from runner.techniques.training import Objective, TrainingStep


@dataclass
class TaughtStep(TrainingStep):
    """A step whose model learns from the one it was made of; see `Distillation`.

    Attributes:
        temperature: that both sides' logits are divided by for the soft targets.
        soft_weight: of the Kullback-Leibler divergence from the teacher's softened predictions, × temperature².
        hard_weight: of the cross-entropy with the labels.
        hidden_weight: of 1 − cosine of the last hidden states, mean over tokens. Only the ratio of the three counts;
            by default DistilBERT's.
    """

    minutes: float = 10.0
    temperature: float = 2.0
    soft_weight: float = 5.0
    hard_weight: float = 2.0
    hidden_weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("temperature", "above 0", lambda value: value > 0)
        for key in ("soft_weight", "hard_weight", "hidden_weight"):
            self.check(key, "at least 0", lambda value: value >= 0)
        if not self.soft_weight + self.hard_weight + self.hidden_weight:
            raise UserError(
                f"step '{self.name}': soft_weight, hard_weight and hidden_weight are all 0: nothing to learn."
            )


@step("distil")
@dataclass
class Distil(TaughtStep):
    """checkpoint (the teacher) → checkpoint (the student); see `runner.techniques.training`.

    The student starts as some of the teacher's layers, with its embeddings and its head.

    Attributes:
        keep: which layers; see the step layer-pruning.
    """

    uses = ("training.py", "layers.py", "layer_pruning.py")

    epochs: int = 6
    learning_rate: float = 2e-4
    keep: Any = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_keep(self.keep, "distil")

    def fits(self, shape: Shape) -> Shape:
        """Fewer layers, if there are as many as are to be kept."""
        return keep_in_shape(super().fits(shape), self.keep, self.name)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train, printing one line per epoch; return the teacher's layers kept, and of every epoch what `fit` does."""
        from runner.engines.checkpoint import load_checkpoint, save_checkpoint

        assert inputs.source is not None
        student = self.start(inputs)
        kept = keep_layers(student, self.keep, "distil")
        notes = self.fit(student, inputs, Distillation(load_checkpoint(inputs.source), self))
        save_checkpoint(student, target, tokenizer_from=inputs.source)
        return {"layers_kept": kept} | notes


class Distillation(Objective):
    """The weighted mean of the three losses, with a teacher in eval mode."""

    def __init__(self, teacher: Any, settings: TaughtStep) -> None:
        self._teacher = teacher
        self._temperature = settings.temperature
        weights = (settings.soft_weight, settings.hard_weight, settings.hidden_weight)
        self._weights = [weight / sum(weights) for weight in weights]

    def loss(self, model: Any, batch: dict[str, Any], labels: Any) -> Any:
        """Return it for one batch."""
        import torch
        from torch.nn import functional

        with torch.no_grad():
            teacher = self._teacher(**batch, output_hidden_states=True)
        student = model(**batch, output_hidden_states=True)
        tokens = batch["attention_mask"].bool()
        own, taught = student.hidden_states[-1][tokens], teacher.hidden_states[-1][tokens]
        losses = (
            soft_loss(student.logits, teacher.logits, self._temperature),
            functional.cross_entropy(student.logits, labels),
            1 - functional.cosine_similarity(own, taught, dim=-1).mean(),
        )
        return sum(weight * loss for weight, loss in zip(self._weights, losses, strict=True))


def soft_loss(student: Any, teacher: Any, temperature: float) -> Any:
    """Return the Kullback-Leibler divergence of softened predictions (logits [batch, labels]), mean over the batch.

    Times temperature², which keeps its gradient's size whatever the temperature (Hinton et al. 2015).
    """
    from torch.nn import functional

    own, taught = (functional.log_softmax(logits / temperature, dim=-1) for logits in (student, teacher))
    return functional.kl_div(own, taught, reduction="batchmean", log_target=True) * temperature**2
