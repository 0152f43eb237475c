"""Train on the task's texts: the common part of fine-tuning, distillation and pruning during training.

The optimizer is AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019) with linear warm-up
and decay of the learning rate. The epoch with the best validation accuracy is kept. The result is the same for the same
seed, threads, library versions and kind of CPU, unless training comes near its time limit (`minutes`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UserError
from runner.tasks.texts import Example, read_split
from runner.techniques.shape import Shape, check_tokens
from runner.techniques.step import Step, StepInputs

if TYPE_CHECKING:
    from runner.techniques.training.batches import Batches

_MIN_SHARE = 0.1  # the share of the steps below which a training fails
_REPORT_SECONDS = 15.0  # the time between two reports of progress
_RECENT = 50  # the number of steps over which the reported loss is averaged


@dataclass
class TrainingStep(Step):
    """checkpoint → checkpoint, by training.

    Attributes:
        epochs: the number of passes over the training texts.
        learning_rate: the learning rate at its peak.
        batch_size: the number of texts in a step.
        max_length: the number of tokens to which a text is cut.
        warmup: the share of all steps during which the learning rate rises.
        weight_decay: the weight decay of AdamW.
        dropout: the probability of dropout, which replaces the one in the model's config. 0 is faster.
        seed: the seed of the texts' order and of dropout.
        minutes: the limit of processor time on each thread, which other processes on the machine hardly change. If it
            is too short for all steps, the learning rate falls to 0 by the clock and training ends then.
    """

    takes = "checkpoint"
    gives = "checkpoint"
    reads_texts = True
    reads_labels = True

    epochs: int = 3
    learning_rate: float = 1e-4
    batch_size: int = 32
    max_length: int = 64
    warmup: float = 0.1
    weight_decay: float = 0.01
    dropout: float = 0.1
    seed: int = 0
    minutes: float = 10.0

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "learning_rate", "minutes"):
            self.check(key, "above 0", lambda value: value > 0)
        self.check("weight_decay", "at least 0", lambda value: value >= 0)
        for key in ("warmup", "dropout"):
            self.check(key, "at least 0 and below 1", lambda value: 0 <= value < 1)
        self.check("max_length", "at least 3", lambda value: value >= 3)

    def check(self, key: str, allowed: str, holds: Callable[[float], bool]) -> None:
        """Check that a number of the config satisfies `holds`, which `allowed` describes.

        Raises:
            UserError: if it does not.
        """
        value = getattr(self, key)
        if isinstance(value, int | float) and not holds(value):
            raise UserError(f"step '{self.name}': {key} is {value}, but must be {allowed}.")

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the model takes texts of `max_length`."""
        check_tokens(shape, self.name, self.max_length)
        return shape

    def start(self, inputs: StepInputs) -> Any:
        """Set the threads and the seed, and return the model to train with its dropout set."""
        import torch

        from runner.engines.checkpoint import load_checkpoint

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        torch.manual_seed(self.seed)
        model = load_checkpoint(inputs.source)
        set_dropout(model, self.dropout)
        return model

    def fit(self, model: Any, inputs: StepInputs, objective: Objective) -> dict[str, Any]:
        """Train, report progress from time to time, and leave the weights of the best epoch in `model`.

        Returns:
            The loss, validation accuracy and seconds of every epoch, the accuracy of the best, and whether the time
            limit was reached before all steps were done.

        Raises:
            UserError: if the task has no labelled texts, or if the time limit is far too short.
        """
        from runner.techniques.training.batches import Batches

        assert inputs.source is not None
        train, validation = (
            Batches(inputs.source, examples, self.max_length, model.config)
            for examples in (self.training_texts(inputs.texts), self._labelled(inputs.texts, "validation"))
        )
        steps = self.epochs * train.count(self.batch_size)
        return _Run(self, model, objective, steps, inputs).fit(train, validation)

    def training_texts(self, texts: Path) -> list[Example]:
        """Return the texts of an epoch."""
        return self._labelled(texts, "train")

    def _labelled(self, texts: Path, split: str) -> list[Example]:
        examples = [example for example in read_split(texts, split) if example.label is not None]
        if not examples:
            raise UserError(
                f"step '{self.name}': the task has no labelled texts to train on (none in {split}). Take a task with "
                "labels, or leave this step out: you can take a trained model (model=folder), or measure an untrained "
                "one (model.weights=random)."
            )
        return examples


class Objective:
    """The loss to minimise, and changes to the weights between the optimizer's steps. This class fine-tunes."""

    def loss(self, model: Any, batch: dict[str, Any], labels: Any) -> Any:
        """Return the loss of a batch, whose labels `runner.techniques.training.batches` describes."""
        return label_losses(model(**batch).logits, labels).mean()

    def parameters(self) -> list[Any]:
        """Return the parameters to learn in addition to the model's weights."""
        return []

    def before_step(self) -> None:
        """Do what is needed before the gradients are clipped and used."""

    def after_step(self, progress: float) -> None:
        """Do what is needed after a step. `progress` is the share of all steps that is done."""

    def may_stop(self) -> bool:
        """Return whether the model in its current state may be the result."""
        return True


class _Run:
    """One training run of a model."""

    def __init__(self, step: TrainingStep, model: Any, objective: Objective, steps: int, inputs: StepInputs) -> None:
        self._step, self._model, self._objective, self._steps = step, model, objective, steps
        self._seconds = 60 * step.minutes * inputs.threads
        self._began = time.process_time()
        self._optimizer, self._schedule = _optimizer(
            [*model.parameters(), *objective.parameters()], step, steps, self._used
        )
        self._generator = random.Random(step.seed)
        self._report, self._last_report = inputs.report, time.monotonic()
        self._done = 0

    def fit(self, train: Batches, validation: Batches) -> dict[str, Any]:
        epochs: list[dict[str, float]] = []
        best: dict[str, Any] = {}
        accuracy = -1.0
        while len(epochs) < self._step.epochs and not (epochs and self._out_of_time()):
            epochs.append(self._epoch(len(epochs) + 1, train, validation))
            if self._objective.may_stop() and epochs[-1]["validation_accuracy"] > accuracy:
                accuracy = epochs[-1]["validation_accuracy"]
                best = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
        if not best or self._done < _MIN_SHARE * self._steps:
            raise UserError(
                f"step '{self._step.name}': minutes is {self._step.minutes:g}, which is too short: only {self._done} "
                f"of {self._steps} steps were done. Take more minutes, or fewer epochs or texts."
            )
        self._model.load_state_dict(best)
        return {"epochs": epochs, "validation_accuracy": accuracy, "time_was_up": self._done < self._steps}

    def _epoch(self, number: int, train: Batches, validation: Batches) -> dict[str, float]:
        started = time.monotonic()
        loss = self._train(train)
        accuracy = evaluate(self._model, validation)
        seconds = time.monotonic() - started
        self._report(
            f"epoch {number}/{self._step.epochs}, loss {loss:.3f}, validation accuracy {accuracy:.3f}, {seconds:.0f} s"
        )
        return {"epoch": number, "loss": loss, "validation_accuracy": accuracy, "seconds": seconds}

    def _train(self, train: Batches) -> float:
        """Take one step per batch until the time limit, and return the mean loss."""
        import torch

        self._model.train()
        losses: list[float] = []
        for batch in train.shuffled(self._step.batch_size, self._generator):
            if losses and self._out_of_time():
                break
            labels = batch.pop("labels")
            loss = self._objective.loss(self._model, batch, labels)
            loss.backward()
            self._objective.before_step()
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
            self._optimizer.step()
            self._schedule.step()
            self._optimizer.zero_grad()
            self._done += 1
            self._objective.after_step(max(self._done / self._steps, self._used()))
            losses.append(float(loss.detach()))
            self._report_progress(losses)
        return sum(losses) / len(losses)

    def _report_progress(self, losses: list[float]) -> None:
        if time.monotonic() - self._last_report < _REPORT_SECONDS:
            return
        self._last_report = time.monotonic()
        recent = losses[-_RECENT:]
        progress = max(self._done / self._steps, self._used())
        self._report(f"{progress:.0%}, loss {sum(recent) / len(recent):.3f}")

    def _used(self) -> float:
        """Return the share of the time limit that is used, which may exceed 1."""
        return (time.process_time() - self._began) / self._seconds

    def _out_of_time(self) -> bool:
        return self._used() >= 1


def evaluate(model: Any, batches: Batches, batch_size: int = 32) -> float:
    """Return the share of examples whose labels the model predicts exactly, and leave the model in eval mode."""
    import torch

    model.eval()
    correct = total = 0
    with torch.inference_mode():
        for batch in batches.in_order(batch_size):
            labels = batch.pop("labels")
            correct += int(are_correct(model(**batch).logits, labels).sum())
            total += len(labels)
    return correct / total


def label_losses(logits: Any, labels: Any) -> Any:
    """Return the loss of each text that has a label.

    The loss is the cross-entropy, or the mean binary cross-entropy over the labels if texts may have several.

    Args:
        logits: [batch, labels].
        labels: int64 [batch], or float32 [batch, labels] of 0 and 1; NO_LABEL for a text without a label.
    """
    from torch.nn import functional

    from runner.techniques.training.batches import NO_LABEL

    if not labels.is_floating_point():
        known = labels != NO_LABEL
        return functional.cross_entropy(logits[known], labels[known], reduction="none")
    known = labels[:, 0] != NO_LABEL
    return functional.binary_cross_entropy_with_logits(logits[known], labels[known], reduction="none").mean(1)


def are_correct(logits: Any, labels: Any) -> Any:
    """Return for each text whether exactly its labels are predicted. The shapes are those of `label_losses`."""
    if labels.is_floating_point():
        return ((logits > 0) == labels.bool()).all(-1)
    return logits.argmax(-1) == labels


def set_dropout(model: Any, probability: float) -> None:
    """Set the probability of dropout on the modules but not in the config, which is saved."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability


def _optimizer(parameters: list[Any], step: TrainingStep, steps: int, used: Callable[[], float]) -> tuple[Any, Any]:
    """Return AdamW and its schedule, which rises to the learning rate and falls to 0 in `steps` steps.

    It falls sooner if the share of the time limit that is `used` exceeds the share of the steps that is done.
    """
    import torch

    trained = [parameter for parameter in parameters if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=step.learning_rate, weight_decay=step.weight_decay, fused=True)
    rising = max(1, round(step.warmup * steps))

    def factor(done: int) -> float:
        left = max(0.0, steps - max(done, used() * steps))
        return min((done + 1) / rising, left / max(1, steps - rising))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
