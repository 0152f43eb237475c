"""Prune the smallest weights during fine-tuning.

See Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015. The share of pruned
weights grows gradually, after Zhu and Gupta 2017 (see `runner.techniques.pruning.sparse_training`).
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
    """checkpoint → checkpoint whose smallest weights are 0; see `runner.techniques.pruning.sparse_training`."""

    def pruning(self, weights: list[torch.nn.Parameter]) -> Pruning:
        """Return pruning by magnitude."""
        return Magnitude(weights, self)


class Magnitude(Unstructured):
    """Pruning of single weights with the score |weight|."""

    def scores(self) -> list[torch.Tensor]:
        """Return the magnitudes of the current weights."""
        return [weight.abs() for weight in self.whole]
