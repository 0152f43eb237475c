"""Knowledge distillation: a student learns from a teacher, on texts with labels and without.

Sanh et al., "DistilBERT, a distilled version of BERT", 2019 (arXiv:1910.01108), whose triple loss joins soft targets
(Hinton, Vinyals and Dean, 2015, arXiv:1503.02531), masked language modelling and the cosine of hidden states. There the
soft targets are a language model's; here teacher and student are classifiers, and so are their targets.
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
    """A step whose model learns from another one as well; see `Distillation`.

    Attributes:
        temperature: that both sides' logits are divided by for the soft targets.
        soft_weight: of the Kullback-Leibler divergence from the teacher's softened predictions, × temperature².
        hard_weight: of the cross-entropy with the labels, where there are any.
        hidden_weight: of 1 − cosine of hidden states, mean over tokens and layers; those of a narrower student go
            through a linear map that is learned beside (Jiao et al., "TinyBERT", 2020, arXiv:1909.10351).
        hidden_layers: "last", or "all" of the student's, each taught by one of the teacher's, evenly spaced (Sun et
            al., "Patient Knowledge Distillation", 2019, arXiv:1908.09355).
        masked_weight: of masked language modelling, by a head that is learned beside. Above 0, teacher and student both
            read the masked text. Only the ratio of the four counts.
        unlabelled: how many of the task's texts without labels are learned from as well, if it has any.
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
            raise UserError(f"step '{self.name}': {', '.join(_WEIGHTS)} are all 0: nothing to learn.")

    def training_texts(self, texts: Path) -> list[Example]:
        """The labelled texts, and the first of those without labels."""
        return super().training_texts(texts) + read_split(texts, UNLABELLED)[: self.unlabelled]


@step("distil")
@dataclass
class Distil(TaughtStep):
    """checkpoint (the student) → checkpoint, taught by the model as it was before the technique, or by
    `technique.teacher`; see `runner.techniques.training.training`.

    The student is what the steps before made of the model: fewer of the teacher's layers, heads or neurons, low-rank
    products, another model. It must read texts by the teacher's tokenizer. Embeddings that are the teacher's stay as
    they are.
    """

    reads_teacher = True

    epochs: int = 1
    learning_rate: float = 3e-4
    dropout: float = 0.0
    unlabelled: int = 20000

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train; return what `fit` does.

        Raises:
            UserError: if student and teacher have different tokenizers, or a text cannot be masked.
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
        student: as it is before training.
        teacher: of the same tokenizer.
        settings: the weights.
        checkpoint: the folder of either, whose tokenizer is read for masked language modelling.
    """

    def __init__(self, student: Any, teacher: Any, settings: TaughtStep, checkpoint: Path) -> None:
        import torch

        from runner.techniques.training.teacher import Teacher

        own, taught = student.config.num_hidden_layers, teacher.config.num_hidden_layers
        pairs = matching_layers(own, taught) if settings.hidden_layers == "all" else [(own, taught)]
        self._layers, layers = zip(*pairs, strict=True)
        self._teacher = Teacher(teacher, layers, remembers=settings.epochs > 1 and not settings.masked_weight)
        self._temperature = settings.temperature
        weights = [getattr(settings, key) for key in _WEIGHTS]
        self._soft, self._hard, self._hidden, self._masked = (weight / sum(weights) for weight in weights)
        own, taught = student.config.hidden_size, teacher.config.hidden_size
        self._widen = torch.nn.Identity() if own == taught else torch.nn.Linear(own, taught, bias=False)
        self._masking = None
        if settings.masked_weight:
            from runner.techniques.training.masking import Masking

            self._masking = Masking(checkpoint / "tokenizer.json", own, settings.seed)

    def parameters(self) -> list[Any]:
        """Return those of the maps that are learned beside the student."""
        beside = list(self._widen.parameters())
        return beside + (list(self._masking.parameters()) if self._masking else [])

    def loss(self, model: Any, batch: dict[str, Any], labels: Any) -> Any:
        """Return it for one batch."""
        import torch

        if self._masking:
            batch, hidden_words = self._masking.mask(batch)
        teacher = self._teacher.answer(batch)
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
    """Return the Kullback-Leibler divergence of softened predictions (logits [batch, labels]), mean over the batch.

    Times temperature², which keeps its gradient's size whatever the temperature (Hinton et al. 2015). Where texts may
    have `several` labels, each label is a distribution of its own, yes or no, and the mean is over these, too.
    """
    import torch
    from torch.nn import functional

    if several:
        student, teacher = (torch.stack([x, torch.zeros_like(x)], -1).flatten(0, 1) for x in (student, teacher))
    own, taught = (functional.log_softmax(logits / temperature, dim=-1) for logits in (student, teacher))
    return functional.kl_div(own, taught, reduction="batchmean", log_target=True) * temperature**2


def hard_loss(logits: Any, labels: Any) -> Any:
    """Return the cross-entropy with the labels (see `label_losses`), mean over the batch: 0 of those without."""
    return label_losses(logits, labels).sum() / len(labels)


def hidden_loss(student: Any, teacher: Any) -> Any:
    """Return 1 − cosine of hidden states (both [tokens, layers, hidden]), mean over tokens and layers."""
    from torch.nn import functional

    return 1 - functional.cosine_similarity(student, teacher, dim=-1).mean()


def matching_layers(own: int, taught: int) -> list[tuple[int, int]]:
    """Return for every layer of a student which of its teacher's it learns from, both from 1: evenly spaced, the last
    from the last."""
    return [(layer, max(1, round(layer * taught / own))) for layer in range(1, own + 1)]


def keep_shared_embeddings(student: Any, teacher: Any) -> None:
    """Leave the student's embeddings out of training if they are the teacher's: they are learned already."""
    import torch

    own, taught = (model.base_model.embeddings.state_dict() for model in (student, teacher))
    if own.keys() == taught.keys() and all(torch.equal(own[name], taught[name]) for name in own):
        student.base_model.embeddings.requires_grad_(False)


def _check_outputs(student: Any, teacher: Any) -> None:
    """Check that the teacher's outputs are the student's, one by one."""
    own, taught = (list(model.config.id2label.values()) for model in (student, teacher))
    if own != taught:
        raise UserError(
            f"step 'distil': the student predicts {', '.join(own)}, but the teacher {', '.join(taught)}. Take a "
            "teacher with the student's labels (technique.teacher), in the task's order."
        )


def _check_tokenizers(student: Path, teacher: Path) -> None:
    if (student / "tokenizer.json").read_bytes() != (teacher / "tokenizer.json").read_bytes():
        raise UserError(
            "step 'distil': student and teacher have different tokenizers, so they cannot be given the same text. "
            "Take a teacher with the student's (technique.teacher)."
        )
