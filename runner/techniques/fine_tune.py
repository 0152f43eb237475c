"""Fine-tune a classifier on the task's training texts; the best epoch by validation accuracy is kept."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UserError
from runner.tasks import Example, read
from runner.techniques import Step, StepInputs, step

if TYPE_CHECKING:
    from runner.techniques.batches import Batches


@step("fine-tune")
@dataclass
class FineTune(Step):
    """checkpoint → checkpoint: AdamW with linear warm-up and decay of the learning rate.

    Attributes:
        epochs: passes over the training texts.
        learning_rate: at its peak.
        batch_size: texts a step.
        max_length: tokens a text is cut to.
        warmup: share of all steps during which the learning rate rises.
        weight_decay: of AdamW.
        dropout: probability, in place of the one in the model's config; 0 is quicker.
        frozen_layers: how many of the lowest layers stay as they are, and the embeddings with them; 0 trains all.
        seed: of the order of texts, and of dropout.
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
    frozen_layers: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ("epochs", "batch_size", "learning_rate"):
            _check(key, getattr(self, key), "above 0", lambda value: value > 0)
        for key in ("weight_decay", "frozen_layers"):
            _check(key, getattr(self, key), "at least 0", lambda value: value >= 0)
        for key in ("warmup", "dropout"):
            _check(key, getattr(self, key), "at least 0 and below 1", lambda value: 0 <= value < 1)
        _check("max_length", self.max_length, "at least 3", lambda value: value >= 3)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train, printing one line per epoch; return the loss, validation accuracy and seconds of every epoch.

        The result is the same for the same seed, threads, library versions and kind of CPU.
        """
        import torch

        from runner.engines.checkpoint import load_checkpoint, save_checkpoint
        from runner.techniques.batches import Batches, positions

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        torch.manual_seed(self.seed)
        model = load_checkpoint(inputs.source)
        _set_dropout(model, self.dropout)
        _freeze(model, self.frozen_layers)
        if self.max_length > positions(model.config):
            raise UserError(
                f"step 'fine-tune': max_length is {self.max_length}, but the model has positions for "
                f"{positions(model.config)} tokens."
            )
        train, validation = (
            Batches(inputs.source, _labelled(inputs.texts, split), self.max_length, model.config)
            for split in ("train", "validation")
        )
        epochs = self._fit(model, train, validation)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return {"epochs": epochs, "validation_accuracy": max(epoch["validation_accuracy"] for epoch in epochs)}

    def _fit(self, model: Any, train: Batches, validation: Batches) -> list[dict[str, float]]:
        """Train, leave the weights of the best epoch in `model`, and return what every epoch gave."""
        optimizer, schedule = self._optimizer(model, steps=self.epochs * train.count(self.batch_size))
        generator = random.Random(self.seed)
        epochs: list[dict[str, float]] = []
        best: dict[str, Any] = {}
        for number in range(1, self.epochs + 1):
            started = time.monotonic()
            loss = _train_epoch(model, train.shuffled(self.batch_size, generator), optimizer, schedule)
            accuracy = evaluate(model, validation)
            if not epochs or accuracy > max(epoch["validation_accuracy"] for epoch in epochs):
                best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            seconds = time.monotonic() - started
            epochs.append({"epoch": number, "loss": loss, "validation_accuracy": accuracy, "seconds": seconds})
            print(
                f"fine-tune: epoch {number}/{self.epochs}, loss {loss:.3f}, "
                f"validation accuracy {accuracy:.3f}, {seconds:.0f} s",
                flush=True,
            )
        model.load_state_dict(best)
        return epochs

    def _optimizer(self, model: Any, steps: int) -> tuple[Any, Any]:
        """Return AdamW and its schedule, which rises to the learning rate and falls to 0 in `steps` steps."""
        import torch

        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)
        rising = max(1, round(self.warmup * steps))
        return optimizer, torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda done: min((done + 1) / rising, (steps - done) / max(1, steps - rising))
        )


def evaluate(model: Any, batches: Batches, batch_size: int = 32) -> float:
    """Return the share of examples whose label the model predicts; leaves the model in eval mode."""
    import torch

    model.eval()
    right = total = 0
    with torch.inference_mode():
        for batch in batches.in_order(batch_size):
            labels = batch.pop("labels")
            right += int((model(**batch).logits.argmax(-1) == labels).sum())
            total += len(labels)
    return right / total


def _labelled(texts: Path, split: str) -> list[Example]:
    examples = [example for example in read(texts, split) if example.label is not None]
    if not examples:
        raise UserError(
            f"step 'fine-tune': the task has no labelled texts to train on (none in {split}). Take a task that has, a "
            f"model that is trained already (model=folder), or model.weights=random."
        )
    return examples


def _train_epoch(model: Any, batches: Iterable[dict[str, Any]], optimizer: Any, schedule: Any) -> float:
    """Take one step per batch; return the mean loss."""
    import torch

    model.train()
    losses = []
    for batch in batches:
        labels = batch.pop("labels")
        loss: Any = torch.nn.functional.cross_entropy(model(**batch).logits, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return sum(losses) / len(losses)


def _freeze(model: Any, layers: int) -> None:
    """Leave out of training the embeddings and the lowest layers: no gradient need flow that far down."""
    stack = model.base_model.encoder.layer
    if layers > len(stack):
        raise UserError(f"step 'fine-tune': frozen_layers is {layers}, but the model has {len(stack)} layers.")
    if layers:
        model.base_model.embeddings.requires_grad_(False)
        stack[:layers].requires_grad_(False)


def _set_dropout(model: Any, probability: float) -> None:
    """Set it on the modules, not in the config, which is saved."""
    import torch

    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability


def _check(key: str, value: float, allowed: str, holds: Callable[[float], bool]) -> None:
    if isinstance(value, int | float) and not holds(value):
        raise UserError(f"step 'fine-tune': {key} is {value}, but must be {allowed}.")
