"""Check the result of a technique: the original's logits, those of the original without some parts, or its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.tasks.texts import read_split
from runner.techniques.pruning.layers import encoder_layers, full_weight
from tests.architectures.builder import Batch, Made, TinyBuilder, batches_of, predict

_EXACT = 1e-4  # the allowed difference of float32 logits; a wrong graph differs by far more
_AGREE = 0.9  # the share of the texts whose label must stay when numbers are rounded
_LEARNT = 0.6  # the accuracy that a trained model must have; a third would be chance

Check = Callable[[TinyBuilder, Made, Path, np.ndarray], str | None]


def same(builder: TinyBuilder, made: Made, original: Path, logits: np.ndarray) -> str | None:
    """Check that the logits are the original's."""
    return _off(logits, _logits(load_checkpoint(original), batches_of(original, builder.texts)))


def near(builder: TinyBuilder, made: Made, original: Path, logits: np.ndarray) -> str | None:
    """Check that nearly all labels are the original's."""
    whole = _logits(load_checkpoint(original), batches_of(original, builder.texts))
    share = float((logits.argmax(1) == whole.argmax(1)).mean())
    return None if share >= _AGREE and np.isfinite(logits).all() else f"{share:.0%} of the labels are the original's"


def learnt(builder: TinyBuilder, made: Made, original: Path, logits: np.ndarray) -> str | None:
    """Check that most labels are correct on the texts on which the original was trained."""
    labels = np.array([example.label for example in read_split(builder.texts, "test")])
    accuracy = float((logits[: len(labels)].argmax(1) == labels).mean())
    return None if accuracy >= _LEARNT and np.isfinite(logits).all() else f"accuracy {accuracy:.0%}"


def masked(builder: TinyBuilder, made: Made, original: Path, logits: np.ndarray) -> str | None:
    """Check that the logits are those of the original with the removed parts masked."""
    whole, cut = load_checkpoint(original), load_checkpoint(made.checkpoint)
    removed = 0
    for layer, other in zip(encoder_layers(whole, "test"), encoder_layers(cut, "test"), strict=True):
        removed += _silence(layer.attended.weight, other.attended.weight)
        removed += _silence(layer.feed_forward[1].weight, other.feed_forward[1].weight)
    return _off(logits, _logits(whole, batches_of(original, builder.texts))) if removed else "nothing was removed"


def skipped(builder: TinyBuilder, made: Made, original: Path, logits: np.ndarray) -> str | None:
    """Check that the logits are those of the original with some layers skipped."""
    whole = load_checkpoint(original)
    with _skipping(whole, made.notes["layers_kept"]):
        return _off(logits, _logits(whole, batches_of(original, builder.texts)))


def multiplied(builder: TinyBuilder, made: Made, original: Path, logits: np.ndarray) -> str | None:
    """Check that the logits are those of the original with the products of both factors as weights."""
    whole, thin = load_checkpoint(original), load_checkpoint(made.checkpoint)
    for layer, other in zip(encoder_layers(whole, "test"), encoder_layers(thin, "test"), strict=True):
        for linear, factors in zip(layer.feed_forward, other.feed_forward, strict=True):
            linear.weight.data = full_weight(factors)
    return _off(logits, _logits(whole, batches_of(original, builder.texts)))


def evaluate(builder: TinyBuilder, made: Made, original: Path, check: Check) -> str | None:
    """Return what is wrong with the result of a technique; None if nothing is."""
    logits, precision = predict(made.engine, made.artifact, batches_of(made.checkpoint, builder.texts))
    if precision not in (made.declared, "untold"):
        return f"computes in {precision}, not in {made.declared}"
    return check(builder, made, original, logits)


def _logits(model: Any, batches: list[Batch]) -> np.ndarray:
    with torch.inference_mode():
        return np.concatenate(
            [
                model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits
                for ids, mask in batches
            ]
        )


def _off(logits: np.ndarray, wanted: np.ndarray) -> str | None:
    worst = float(np.abs(logits - wanted).max())
    return None if worst <= _EXACT else f"logits are off by {worst:.2g}"


def _silence(whole: torch.Tensor, cut: torch.Tensor) -> int:
    """Set the columns of a weight to 0 that another weight lacks, and return their number."""
    gone = [column for column in range(whole.shape[1]) if not (whole[:, [column]] == cut).all(0).any()]
    whole.data[:, gone] = 0
    return len(gone)


@contextmanager
def _skipping(model: Any, kept: list[int]) -> Iterator[None]:
    """Let the layers that are not kept return their inputs. They are numbered in the order in which they run."""
    run = [0]

    def begin(module: Any, inputs: Any) -> None:
        run[0] = 0

    def after(module: Any, inputs: Any, output: Any) -> Any:
        number = run[0]
        run[0] += 1
        if number in kept:
            return None
        return inputs[0] if isinstance(output, torch.Tensor) else (inputs[0], *output[1:])

    hooks = [layer.module.register_forward_hook(after) for layer in encoder_layers(model, "test")]
    hooks.append(model.register_forward_pre_hook(begin))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
