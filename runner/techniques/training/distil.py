"""Distil knowledge: a student learns from a teacher, on texts with and without labels.

See Sanh et al., "DistilBERT, a distilled version of BERT", 2019 (arXiv:1910.01108). Their triple loss combines soft
targets (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531), masked language modelling and the cosine of hidden states.
Their soft targets come from a language model; here teacher and student are classifiers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import UserError, did_you_mean
from runner.tasks.texts import UNLABELLED, Example, read_split
from runner.techniques.step import StepInputs, step
from runner.techniques.training.training import Objective, TrainingStep, label_losses

_HIDDEN_LAYERS = ("last", "all")
_WEIGHTS = ("soft_weight", "hard_weight", "hidden_weight", "masked_weight")


@dataclass
class TaughtStep(TrainingStep):
    """A step whose model also learns from a teacher; see `Distillation`.

    Attributes:
        temperature: the divisor of both models' logits for the soft targets.
        soft_weight: the weight of the Kullback-Leibler divergence from the teacher's softened predictions,
            × temperature².
        hard_weight: the weight of the cross-entropy with the labels, for texts that have labels.
        hidden_weight: the weight of 1 − cosine of hidden states, a mean over tokens and layers. A linear map, which is
            learned with the model, widens those of a narrower student (Jiao et al., "TinyBERT", 2020,
            arXiv:1909.10351).
        hidden_layers: the student's layers that learn from the teacher's: "last" or "all". Each of all layers learns
            from one of the teacher's, evenly spaced (Sun et al., "Patient Knowledge Distillation", 2019,
            arXiv:1908.09355).
        masked_weight: the weight of masked language modelling, with a head that is learned with the model. If it is
            above 0, teacher and student both read the masked text. Only the ratio of the four weights matters.
        unlabelled: how many of the task's texts without labels are added to the training texts.
    """

    minutes: float = 10.0
    temperature: float = 2.0
    soft_weight: float = 5.0
    hard_weight: float = 2.0
    hidden_weight: float = 1.0
    hidden_layers: str = "last"
    masked_weight: float = 0.0
    unlabelled: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_layers not in _HIDDEN_LAYERS:
            hint = did_you_mean(self.hidden_layers, _HIDDEN_LAYERS)
            raise UserError(f"step '{self.name}': hidden_layers is '{self.hidden_layers}'. {hint}")
        self.check("temperature", "above 0", lambda value: value > 0)
        for key in (*_WEIGHTS, "unlabelled"):
            self.check(key, "at least 0", lambda value: value >= 0)
        if not sum(getattr(self, key) for key in _WEIGHTS):
            raise UserError(f"step '{self.name}': {', '.join(_WEIGHTS)} are all 0. Set one of them above 0.")

    def training_texts(self, texts: Path) -> list[Example]:
        """Return the labelled texts and the first `unlabelled` texts without labels."""
        return super().training_texts(texts) + read_split(texts, UNLABELLED)[: self.unlabelled]


@step("distil")
@dataclass
class Distil(TaughtStep):
    """checkpoint (the student) → checkpoint. The teacher is the model before the technique, or `technique.teacher`; see
    `runner.techniques.training.training`.

    The student is the result of the steps before: a model with fewer layers, heads or neurons, with low-rank products,
    or another model. It must have the teacher's tokenizer. If its embeddings are the teacher's, they are not trained.
    """

    reads_teacher = True

    epochs: int = 1
    learning_rate: float = 3e-4
    dropout: float = 0.0
    unlabelled: int = 20000

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train the student, and return the notes of `fit`.

        Raises:
            UserError: if student and teacher have different tokenizers or labels, or if the tokenizer has no mask.
        """
        from runner.engines.checkpoint import load_checkpoint, save_checkpoint

        assert inputs.source is not None
        assert inputs.teacher is not None
        _check_tokenizers(inputs.source, inputs.teacher)
        student, teacher = self.start(inputs), load_checkpoint(inputs.teacher)
        _check_outputs(student, teacher)
        keep_shared_embeddings(student, teacher)
        notes = self.fit(student, inputs, Distillation(student, teacher, self, inputs.teacher))
        save_checkpoint(student, target, tokenizer_from=inputs.source)
        return notes


class Distillation(Objective):
    """The weighted mean of the losses, with a teacher in eval mode.

    Args:
        student: the student before training.
        teacher: the teacher, which has the same tokenizer.
        settings: the step's settings, with the weights.
        checkpoint: the folder of either model, whose tokenizer is read for masked language modelling.
    """

    def __init__(self, student: Any, teacher: Any, settings: TaughtStep, checkpoint: Path) -> None:
        import torch

        from runner.techniques.training.teacher import Teacher

        depths = student.config.num_hidden_layers, teacher.config.num_hidden_layers
        pairs = matching_layers(*depths) if settings.hidden_layers == "all" else [depths]
        self._layers, layers = zip(*pairs, strict=True)
        self._teacher = Teacher(teacher, layers, cache=settings.epochs > 1 and not settings.masked_weight)
        self._temperature = settings.temperature
        weights = [getattr(settings, key) for key in _WEIGHTS]
        self._soft, self._hard, self._hidden, self._masked = (weight / sum(weights) for weight in weights)
        width, teacher_width = student.config.hidden_size, teacher.config.hidden_size
        same = width == teacher_width
        self._widen = torch.nn.Identity() if same else torch.nn.Linear(width, teacher_width, bias=False)
        self._masking = None
        if settings.masked_weight:
            from runner.techniques.training.masking import Masking

            self._masking = Masking(checkpoint / "tokenizer.json", width, settings.seed)

    def parameters(self) -> list[Any]:
        """Return the parameters of the widening map and of the masking head."""
        parameters = list(self._widen.parameters())
        return parameters + (list(self._masking.parameters()) if self._masking else [])

    def loss(self, model: Any, batch: dict[str, Any], labels: Any) -> Any:
        """Return the loss of a batch."""
        import torch

        if self._masking:
            batch, hidden_words = self._masking.mask(batch)
        teacher = self._teacher.outputs(batch)
        student = model(**batch, output_hidden_states=True)
        mask = batch["attention_mask"].bool()
        hidden = torch.stack([student.hidden_states[layer][mask] for layer in self._layers], 1)
        loss = self._soft * soft_loss(student.logits, teacher.logits, self._temperature, labels.is_floating_point())
        loss = loss + self._hard * hard_loss(student.logits, labels)
        loss = loss + self._hidden * hidden_loss(self._widen(hidden), teacher.hidden)
        if self._masking:
            words = model.base_model.get_input_embeddings().weight
            loss = loss + self._masked * self._masking.loss(student.hidden_states[-1], hidden_words, words)
        return loss


def soft_loss(student: Any, teacher: Any, temperature: float, several: bool = False) -> Any:
    """Return the mean Kullback-Leibler divergence of softened predictions over a batch.

    It is multiplied by temperature², so that the size of its gradient does not depend on the temperature (Hinton et al.
    2015).

    Args:
        student, teacher: logits [batch, labels].
        temperature: the divisor of the logits.
        several: whether texts may have several labels. If so, each label has its own distribution, yes or no, and the
            mean is taken over the labels, too.
    """
    import torch
    from torch.nn import functional

    if several:
        student, teacher = (torch.stack([x, torch.zeros_like(x)], -1).flatten(0, 1) for x in (student, teacher))
    predicted, target = (functional.log_softmax(logits / temperature, dim=-1) for logits in (student, teacher))
    return functional.kl_div(predicted, target, reduction="batchmean", log_target=True) * temperature**2


def hard_loss(logits: Any, labels: Any) -> Any:
    """Return the mean cross-entropy with the labels over a batch (see `label_losses`). Texts without labels add 0."""
    return label_losses(logits, labels).sum() / len(labels)


def hidden_loss(student: Any, teacher: Any) -> Any:
    """Return the mean of 1 − cosine of hidden states over tokens and layers. Both are [tokens, layers, hidden]."""
    from torch.nn import functional

    return 1 - functional.cosine_similarity(student, teacher, dim=-1).mean()


def matching_layers(student_layers: int, teacher_layers: int) -> list[tuple[int, int]]:
    """Return each layer of a student with the teacher's layer from which it learns, both numbered from 1.

    The teacher's layers are evenly spaced, and the last layer learns from the last.
    """
    layers = range(1, student_layers + 1)
    return [(layer, max(1, round(layer * teacher_layers / student_layers))) for layer in layers]


def keep_shared_embeddings(student: Any, teacher: Any) -> None:
    """Exclude the student's embeddings from training if they are the teacher's, since they are trained already."""
    import torch

    tensors, others = (model.base_model.embeddings.state_dict() for model in (student, teacher))
    if tensors.keys() == others.keys() and all(torch.equal(tensors[name], others[name]) for name in tensors):
        student.base_model.embeddings.requires_grad_(False)


def _check_outputs(student: Any, teacher: Any) -> None:
    """Check that student and teacher have the same outputs in the same order."""
    labels, teacher_labels = (list(model.config.id2label.values()) for model in (student, teacher))
    if labels != teacher_labels:
        raise UserError(
            f"step 'distil': the student predicts {', '.join(labels)}, but the teacher predicts "
            f"{', '.join(teacher_labels)}. Take a teacher (technique.teacher) with the student's labels in the task's "
            "order."
        )


def _check_tokenizers(student: Path, teacher: Path) -> None:
    if (student / "tokenizer.json").read_bytes() != (teacher / "tokenizer.json").read_bytes():
        raise UserError(
            "step 'distil': student and teacher have different tokenizers, so they cannot read the same text. Take a "
            "teacher (technique.teacher) with the student's tokenizer."
        )
