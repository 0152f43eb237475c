"""Compute how much the loss depends on parts of a model, as the gradient at a gate on each part.

To first order (Taylor), removing a part changes the loss by the derivative at a gate m = 1 on its output. See Michel,
Levy and Neubig, "Are Sixteen Heads Really Better than One?", NeurIPS 2019, equation 2, for heads, and Molchanov et al.,
"Pruning Convolutional Neural Networks for Resource Efficient Inference", ICLR 2017, for neurons.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from runner.errors import UserError
from runner.tasks.texts import read_split
from runner.techniques.step import StepInputs
from runner.techniques.training.batches import Batches, positions
from runner.techniques.training.training import label_losses

_MAX_LENGTH = 64  # texts are cut to this number of tokens


def sample_batches(
    inputs: StepInputs, config: Any, samples: int, seed: int, step: str, instead: str
) -> Iterator[dict[str, Any]]:
    """Return batches of `samples` labelled training texts, drawn by `seed`.

    Raises:
        UserError: if there are no such texts. The message names `step` and `instead`, a criterion that needs none.
    """
    assert inputs.source is not None
    examples = [example for example in read_split(inputs.texts, "train") if example.label is not None]
    if not examples:
        raise UserError(
            f"step '{step}': criterion is importance, but the task has no labelled training texts. Take "
            f"criterion: {instead}, or a task with labels."
        )
    random.Random(seed).shuffle(examples)
    return Batches(
        inputs.source, examples[:samples], min(_MAX_LENGTH, positions(config) or _MAX_LENGTH), config
    ).in_order(32)


def gate_importance(
    model: Any, linears: list[Any], units: list[int], batches: Iterable[dict[str, Any]]
) -> list[torch.Tensor]:
    """Return the importance of every part of the linear layers' inputs: the sum over examples of |dL/dm|.

    Each example has its own gates, so that a batch gives each example's own gradient.

    Args:
        model: a classifier in eval mode.
        linears: the linear layers whose inputs are gated.
        units: the number of equal parts of each layer's inputs, that is, its heads or neurons.
        batches: the examples, with labels.

    Returns:
        The importance, float32 [units] for every linear layer.
    """
    total = [torch.zeros(count) for count in units]
    for batch in batches:
        with _gated(linears, units, len(batch["labels"])) as gates:
            labels = batch["labels"]
            logits = model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits
            loss = label_losses(logits, labels).sum()
            gradients = torch.autograd.grad(loss, gates)
        total = [value + gradient.abs().sum(0) for value, gradient in zip(total, gradients, strict=True)]
    return total


@contextmanager
def _gated(linears: list[Any], units: list[int], examples: int) -> Iterator[list[torch.Tensor]]:
    """Multiply every part by its own gate of 1 within the context. The gates are [examples, units]."""
    gates = [torch.ones(examples, count, requires_grad=True) for count in units]

    def apply(gate: torch.Tensor) -> Any:
        def hook(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
            parts = args[0].unflatten(-1, (gate.shape[1], -1))  # [examples, length, units, size of a unit]
            return ((parts * gate[:, None, :, None]).flatten(-2), *args[1:])

        return hook

    handles = [linear.register_forward_pre_hook(apply(gate)) for linear, gate in zip(linears, gates, strict=True)]
    try:
        yield gates
    finally:
        for handle in handles:
            handle.remove()
