"""Prune the smallest weights during fine-tuning.

Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015; gradually, after Zhu
and Gupta 2017 (see `runner.techniques.pruning.sparse_training`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.techniques.pruning.sparse_training import Pruning, SparseTraining, Unstructured
from runner.techniques.step import step

if TYPE_CHECKING:
    import torch


@step("magnitude-pruning")
@dataclass
class MagnitudePruning(SparseTraining):
    """checkpoint → checkpoint with its smallest weights 0; see `runner.techniques.pruning.sparse_training`."""

    def pruning(self, weights: list[torch.nn.Parameter]) -> Pruning:
        """Score by magnitude."""
        return Magnitude(weights, self)


class Magnitude(Unstructured):
    """The score is |weight|."""

    def scores(self) -> list[torch.Tensor]:
        """Return them as the weights are now."""
        return [weight.abs() for weight in self.whole]
