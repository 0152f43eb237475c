"""Prune during fine-tuning the weights that training moves towards 0, however large they are.

Sanh, Wolf and Rush, "Movement Pruning: Adaptive Sparsity by Fine-Tuning", NeurIPS 2020: the hard variant, the top share
of every matrix, with the cubic schedule of `runner.techniques.sparse_training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.techniques import step
from runner.techniques.sparse_training import Pruning, SparseTraining

if TYPE_CHECKING:
    import torch


@step("movement-pruning")
@dataclass
class MovementPruning(SparseTraining):
    """checkpoint → checkpoint with the weights 0 that moved there; see `runner.techniques.sparse_training`."""

    def pruning(self, weights: list[torch.nn.Parameter]) -> Pruning:
        """Score by movement."""
        return Movement(weights, self)


class Movement(Pruning):
    """The score is −Σ gradient · weight over all steps (equation 3 of Sanh et al. 2020, a straight-through estimate).

    The gradient is that at the masked weight, so the score of a pruned weight can still rise. The rate at which scores
    are learnt does not matter: only their order counts.
    """

    def __init__(self, weights: list[torch.nn.Parameter], settings: SparseTraining) -> None:
        super().__init__(weights, settings)
        self._scores = [weight.new_zeros(weight.shape) for weight in self.whole]

    def see_gradients(self, gradients: list[torch.Tensor]) -> None:
        """Add one step's movement."""
        for score, gradient, whole in zip(self._scores, gradients, self.whole, strict=True):
            score.addcmul_(gradient, whole, value=-1)

    def scores(self) -> list[torch.Tensor]:
        """Return the movement so far."""
        return self._scores
