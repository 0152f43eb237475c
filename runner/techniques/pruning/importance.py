"""How much the loss depends on parts of a model: the gradient of a gate on each of them.

To first order (Taylor), a part that is taken away changes the loss by the derivative at a gate m = 1 on its output:
Michel, Levy and Neubig, "Are Sixteen Heads Really Better than One?", NeurIPS 2019, equation 2, for heads; Molchanov et
al., "Pruning Convolutional Neural Networks for Resource Efficient Inference", ICLR 2017, for neurons.
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

_MAX_LENGTH = 64  # tokens of a text that importance is evaluated on


def sample_batches(
    inputs: StepInputs, config: Any, samples: int, seed: int, step: str, instead: str
) -> Iterator[dict[str, Any]]:
    """Give batches of so many labelled training texts, drawn by `seed`.

    Raises:
        UserError: if there are none; it names the step, and a criterion that needs none.
    """
    assert inputs.source is not None
    examples = [example for example in read_split(inputs.texts, "train") if example.label is not None]
    if not examples:
        raise UserError(
            f"step '{step}': criterion is importance, but the task has no labelled training texts to evaluate by. Take "
            f"criterion: {instead}, or a task with labels."
        )
    random.Random(seed).shuffle(examples)
    return Batches(
        inputs.source, examples[:samples], min(_MAX_LENGTH, positions(config) or _MAX_LENGTH), config
    ).in_order(32)


def gate_importance(
    model: Any, linears: list[Any], units: list[int], batches: Iterable[dict[str, Any]]
) -> list[torch.Tensor]:
    """Return the importance of every part of the inputs of these linear layers: sum over examples of |dL/dm|.

    One gate per example, so that a batch gives every example's own gradient.

    Args:
        model: a classifier in eval mode.
        linears: whose inputs are gated.
        units: into how many equal parts the inputs of each are taken apart: heads, or as many as there are neurons.
        batches: with labels.

    Returns:
        float32 [units] for every linear layer.
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
    """Multiply every part by a gate (1) of its own, [examples, units], while the context lasts."""
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
