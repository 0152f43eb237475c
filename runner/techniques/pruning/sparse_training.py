"""Prune during fine-tuning: the common part of magnitude, movement and block movement pruning.

The share of weights that are 0 grows during training along a cubic curve, fast at first (Zhu and Gupta, "To Prune, or
Not to Prune", 2017, arXiv:1710.01878): s(t) = s_final · (1 − (1 − t)³), with t from 0 to 1 between `begin` and `end`.

If single weights are pruned, every matrix of the layers is pruned by the same share, and embeddings and head are not
pruned. The result is masked: it has as many weights as before, but some are 0. Its files and latency stay the same.
Only compressed copies of its files, such as for a download, are smaller.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.techniques.shape import Shape, check_layers
from runner.techniques.step import StepInputs
from runner.techniques.training.training import Objective, TrainingStep

if TYPE_CHECKING:
    import torch

_INTERVAL = 10  # the number of steps from one choice of weights to the next


@dataclass
class GradualPruning(TrainingStep):
    """checkpoint → checkpoint, pruned gradually during training; see `runner.techniques.training.training`.

    Attributes:
        begin, end: the shares of all steps between which the pruned share grows. After `end`, training goes on with the
            remaining weights.
    """

    epochs: int = 6
    begin: float = 0.1
    end: float = 0.6

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("begin", "at least 0 and below 1", lambda value: 0 <= value < 1)
        self.check("end", "at least begin and below 1", lambda value: self.begin <= value < 1)

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that Pinbox knows the layers of the model."""
        check_layers(shape, self.name)
        return super().infer_shape(shape)


@dataclass
class SparseTraining(GradualPruning):
    """checkpoint → checkpoint in which many weights are 0; see `GradualPruning`.

    Attributes:
        sparsity: the share of the layers' weights that are 0 in the end.
    """

    sparsity: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check("sparsity", "above 0 and below 1", lambda value: 0 < value < 1)

    @abstractmethod
    def pruning(self, weights: list[torch.nn.Parameter]) -> Pruning:
        """Return the `Pruning` for these weights."""

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train and prune the model, and return the notes of `fit` and the sparsity.

        Raises:
            UserError: if the time limit is reached before the sparsity is.
        """
        from runner.engines.checkpoint import save_checkpoint

        assert inputs.source is not None
        model = self.start(inputs)
        weights = layer_weights(model, self.name)
        pruning = self.pruning(weights)
        notes = self.fit(model, inputs, pruning)
        zeros = sum((weight == 0).sum().item() for weight in weights)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return notes | {"masked": True, "sparsity": zeros / sum(weight.numel() for weight in weights)}


class Pruning(Objective):
    """Plain fine-tuning of a model with masked weights, which are 0 and have no gradient.

    The optimizer sees the whole weights, and the model sees the masked ones. So a weight can return when its score
    rises.

    Args:
        weights: the matrices to prune.
        schedule: the step's settings, which say when weights are pruned.
    """

    def __init__(self, weights: list[torch.nn.Parameter], schedule: GradualPruning) -> None:
        import torch

        self._weights, self._schedule = weights, schedule
        self.whole = [weight.data for weight in weights]
        self.masks = [torch.ones_like(weight.data) for weight in weights]
        self._steps = 0
        self._reached = False

    @abstractmethod
    def choose(self, grown: float) -> None:
        """Set the masks so that the part `grown` of the final share is pruned, from 0 to 1."""

    def see_gradients(self, gradients: list[torch.Tensor]) -> None:
        """Use the gradients of the loss at the masked weights, including those of weights whose mask is 0."""

    def before_step(self) -> None:
        """Set the gradients of masked weights to 0, and give the optimizer the whole weights."""
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        self.see_gradients(gradients)
        for weight, gradient, mask, whole in zip(self._weights, gradients, self.masks, self.whole, strict=True):
            gradient *= mask
            weight.data = whole

    def after_step(self, progress: float) -> None:
        """Mask the weights. Every few steps, choose them again until the final share is reached."""
        self._steps += 1
        now = progress >= self._schedule.end
        if not self._reached and (now or self._steps % _INTERVAL == 0):
            self.choose(growth(progress, self._schedule.begin, self._schedule.end))
            self._reached = now
        for weight, mask, whole in zip(self._weights, self.masks, self.whole, strict=True):
            weight.data = whole * mask

    def may_stop(self) -> bool:
        """Return whether the final share is reached: before that, there is no result."""
        return self._reached


class Unstructured(Pruning):
    """Pruning of single weights, with the same share in every matrix."""

    def __init__(self, weights: list[torch.nn.Parameter], settings: SparseTraining) -> None:
        super().__init__(weights, settings)
        self._sparsity = settings.sparsity

    @abstractmethod
    def scores(self) -> list[torch.Tensor]:
        """Return a score for every weight. Those with the lowest scores are pruned."""

    def choose(self, grown: float) -> None:
        """Mask the weights with the lowest scores. The one with the highest always stays."""
        sparsity = grown * self._sparsity
        for mask, scores in zip(self.masks, self.scores(), strict=True):
            pruned = round(sparsity * scores.numel())
            threshold = scores.flatten().kthvalue(pruned).values if pruned else scores.min() - 1
            mask.copy_((scores > threshold) | (scores == scores.max()))


def growth(progress: float, begin: float, end: float) -> float:
    """Return the part of the final share that is pruned at this progress (equation 1 of Zhu and Gupta, from 0)."""
    if progress >= end:
        return 1.0
    return 1 - (1 - max(0.0, progress - begin) / (end - begin)) ** 3 if progress > begin else 0.0


def layer_weights(model: Any, step: str) -> list[Any]:
    """Return the matrix of every linear layer in the encoder's layers."""
    import torch

    from runner.techniques.pruning.layers import encoder_layers

    layers = encoder_layers(model, step)
    modules = [module for layer in layers for module in layer.module.modules()]
    return [module.weight for module in modules if isinstance(module, torch.nn.Linear)]
