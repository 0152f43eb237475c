"""Prune during fine-tuning the weights that training moves towards 0, however large they are.

Sanh, Wolf and Rush, "Movement Pruning: Adaptive Sparsity by Fine-Tuning", NeurIPS 2020: the hard variant, the top share
of every matrix, with the cubic schedule of `runner.techniques.pruning.sparse_training`.
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
    """checkpoint → checkpoint with the weights 0 that moved there; see `runner.techniques.pruning.sparse_training`."""

    def pruning(self, weights: list[torch.nn.Parameter]) -> Pruning:
        """Score by movement."""
        return Movement(weights, self)


class Movement(Unstructured):
    """The score is −Σ gradient · weight over all steps (equation 3 of Sanh et al. 2020, a straight-through estimate).

    The gradient is that at the masked weight, so the score of a pruned weight can still rise. The rate at which scores
    are learnt does not matter: only their order counts.
    """

    def __init__(self, weights: list[torch.nn.Parameter], settings: SparseTraining) -> None:
        super().__init__(weights, settings)
        self._scores = [weight.new_zeros(weight.shape) for weight in self.whole]

    def see_gradients(self, gradients: list[torch.Tensor]) -> None:
        """Add one step's movement."""
        add_movement(self._scores, gradients, self.whole)

    def scores(self) -> list[torch.Tensor]:
        """Return the movement so far."""
        return self._scores


def add_movement(scores: list[torch.Tensor], gradients: list[torch.Tensor], whole: list[torch.Tensor]) -> None:
    """Add one step's movement to the scores of weights, in place; three lists of tensors of the same shapes."""
    for score, gradient, weight in zip(scores, gradients, whole, strict=True):
        score.addcmul_(gradient, weight, value=-1)
