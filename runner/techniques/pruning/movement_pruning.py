"""Prune the weights that fine-tuning moves towards 0, however large they are.

See Sanh, Wolf and Rush, "Movement Pruning: Adaptive Sparsity by Fine-Tuning", NeurIPS 2020. This is the hard variant,
which keeps the top share of every matrix, with the cubic schedule of `runner.techniques.pruning.sparse_training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.techniques.pruning.sparse_training import Pruning, SparseTraining, Unstructured
from runner.techniques.step import step

if TYPE_CHECKING:
    import torch


@step("movement-pruning")
@dataclass
class MovementPruning(SparseTraining):
    """checkpoint → checkpoint in which the weights that moved towards 0 are 0; see
    `runner.techniques.pruning.sparse_training`."""

    def pruning(self, weights: list[torch.nn.Parameter]) -> Pruning:
        """Return pruning by movement."""
        return Movement(weights, self)


class Movement(Unstructured):
    """Pruning of single weights with the score −Σ gradient · weight over all steps.

    This is equation 3 of Sanh et al. 2020, a straight-through estimate. The gradient is taken at the masked weight, so
    the score of a pruned weight can still rise. The learning rate of the scores does not matter: only their order
    counts.
    """

    def __init__(self, weights: list[torch.nn.Parameter], settings: SparseTraining) -> None:
        super().__init__(weights, settings)
        self._scores = [weight.new_zeros(weight.shape) for weight in self.whole]

    def see_gradients(self, gradients: list[torch.Tensor]) -> None:
        """Add the movement of one step."""
        add_movement(self._scores, gradients, self.whole)

    def scores(self) -> list[torch.Tensor]:
        """Return the movement so far."""
        return self._scores


def add_movement(scores: list[torch.Tensor], gradients: list[torch.Tensor], whole: list[torch.Tensor]) -> None:
    """Add the movement of one step to the scores in place. The tensors of the three lists have the same shapes."""
    for score, gradient, weight in zip(scores, gradients, whole, strict=True):
        score.addcmul_(gradient, weight, value=-1)
