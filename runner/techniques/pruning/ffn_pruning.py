"""Remove neurons of the feed-forward networks together with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.techniques.pruning.fraction_pruning import FractionPruning
from runner.techniques.shape import Shape, check_layers, check_removes, remaining
from runner.techniques.step import StepInputs, step

if TYPE_CHECKING:
    import torch

    from runner.techniques.pruning.layers import Layer


@step("ffn-pruning")
@dataclass
class FfnPruning(FractionPruning):
    """checkpoint → checkpoint with fewer neurons. Every layer loses the same share, so that all stay equally large.

    Attributes:
        fraction: the fraction of every layer's neurons to remove, above 0 and below 1.
        criterion: "magnitude" removes the neurons with the smallest product of the norms of their incoming and outgoing
            weights (the L2 criterion of Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, on both sides).
            "importance" removes the neurons on which the loss depends least, to first order (see importance.py).
    """

    criteria = ("magnitude", "importance")

    criterion: str = "magnitude"

    def infer_shape(self, shape: Shape) -> Shape:
        """Return a shape with fewer neurons, and check that some are removed."""
        check_layers(shape, self.name)
        if shape.neurons is None:
            return shape
        check_removes(self.name, "fraction", self.fraction, shape.neurons, "neurons per layer")
        return replace(shape, neurons=remaining(shape.neurons, self.fraction))

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the smaller checkpoint, and return the number of neurons in each layer before and after.

        Raises:
            UserError: if the criterion is "importance" and there are no labelled texts.
        """
        import torch

        from runner.engines.checkpoint import load_checkpoint, save_checkpoint
        from runner.techniques.pruning.layers import encoder_layers, set_neurons

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        model = load_checkpoint(inputs.source)
        layers = encoder_layers(model, "ffn-pruning")
        scores = magnitudes(layers) if self.criterion == "magnitude" else self._importance(model, layers, inputs)
        keep = [strongest(row, self.fraction) for row in scores]
        for layer, neurons in zip(layers, keep, strict=True):
            layer.keep_neurons(neurons)
        sizes = [len(neurons) for neurons in keep]
        set_neurons(model, sizes)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return {"neurons_before": [len(row) for row in scores], "neurons_kept": sizes}

    def _importance(self, model: Any, layers: Sequence[Layer], inputs: StepInputs) -> list[torch.Tensor]:
        from runner.techniques.pruning.importance import gate_importance, sample_batches

        outputs = [layer.feed_forward[1] for layer in layers]
        samples = sample_batches(inputs, model.config, self.samples, self.seed, "ffn-pruning", instead="magnitude")
        return gate_importance(model, outputs, [layer.neurons for layer in layers], samples)


def magnitudes(layers: Sequence[Layer]) -> list[torch.Tensor]:
    """Return each neuron's norm of incoming weights × norm of outgoing weights, [neurons] for every layer."""
    from runner.techniques.pruning.layers import full_weight

    scores = []
    for layer in layers:
        into, out = (full_weight(linear) for linear in layer.feed_forward)
        rows = into.view(layer.gates, layer.neurons, -1)  # a gated neuron has more than one row
        scores.append(rows.norm(dim=(0, 2)) * out.norm(dim=0))
    return scores


def strongest(scores: torch.Tensor, fraction: float) -> torch.Tensor:
    """Return the neurons to keep, in order: all except the `fraction` with the lowest scores, but at least one."""
    return scores.argsort(descending=True, stable=True)[: remaining(len(scores), fraction)].sort().values
