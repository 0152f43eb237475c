"""Movement pruning of whole neurons, which are then removed.

Lagunas, Charlaix, Sanh and Rush, "Block Pruning For Faster Transformers", EMNLP 2021: scores are learnt as in movement
pruning (`runner.techniques.movement_pruning`), but for blocks of weights that can be taken out. The blocks here are the
neurons of the feed-forward networks: a row of the one matrix and a column of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.techniques import StepInputs, step
from runner.techniques.movement_pruning import Movement
from runner.techniques.sparse_training import Pruning, SparseTraining

if TYPE_CHECKING:
    import torch


@step("block-movement-pruning")
@dataclass
class BlockMovementPruning(SparseTraining):
    """checkpoint → checkpoint with fewer neurons, chosen while it is trained; see `runner.techniques.sparse_training`.

    `sparsity` is the share of every layer's neurons that goes; at least one stays.
    """

    uses = (*SparseTraining.uses, "movement_pruning.py", "ffn_pruning.py")

    def pruning(self, weights: list[torch.nn.Parameter]) -> Pruning:
        """Score neurons by movement."""
        return NeuronMovement(weights, self)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train, printing one line per epoch; return what `fit` does, and how many neurons each layer has.

        Raises:
            UserError: if the architecture is unknown, or the time is up before the sparsity is reached.
        """
        from runner.engines.checkpoint import save_checkpoint
        from runner.techniques.ffn_pruning import set_intermediate_size
        from runner.techniques.layers import encoder_layers

        assert inputs.source is not None
        model = self.start(inputs)
        layers = encoder_layers(model, self.name)
        notes = self.fit(model, inputs, self.pruning([weight for layer in layers for weight in neuron_weights(layer)]))
        sizes = [remove_masked(layer) for layer in layers]
        set_intermediate_size(model, sizes)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return notes | {"neurons_kept": sizes}


class NeuronMovement(Movement):
    """The score of all weights of a neuron is the sum of their movement.

    Args:
        weights: of every layer the weights into the neurons, [neurons, …], and those out of them, [hidden, neurons].
    """

    def scores(self) -> list[torch.Tensor]:
        """Return the sums, spread over both matrices."""
        single, spread = super().scores(), []
        for into, out in zip(single[::2], single[1::2], strict=True):
            total = into.sum(1) + out.sum(0)
            spread += [total[:, None].expand_as(into), total.expand_as(out)]
        return spread


def neuron_weights(layer: Any) -> tuple[Any, Any]:
    """Return the weights of a layer into its neurons, [neurons, …], and those out of them, […, neurons]."""
    from runner.techniques.layers import feed_forward, side

    into, out = feed_forward(layer)
    return side(into, 0).weight, side(out, 1).weight


def remove_masked(layer: Any) -> int:
    """Remove the neurons whose weights are all 0 on the way out; return how many are left."""
    from runner.techniques.ffn_pruning import keep_neurons

    _, out = neuron_weights(layer)
    alive = (out != 0).any(dim=0).nonzero().flatten()
    keep_neurons(layer, alive)
    return len(alive)
