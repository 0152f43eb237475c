"""Remove neurons of the feed-forward networks, and with them their share of the weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UserError, did_you_mean
from runner.techniques.shape import Shape, check_layers, check_removes, remaining
from runner.techniques.step import Step, StepInputs, step

if TYPE_CHECKING:
    import torch

    from runner.techniques.pruning.layers import Layer

_CRITERIA = ("magnitude", "importance")


@step("ffn-pruning")
@dataclass
class FfnPruning(Step):
    """checkpoint → checkpoint with fewer neurons: of every layer the same share, so that all keep one size.

    Attributes:
        fraction: of every layer's neurons that is removed, above 0 and below 1.
        criterion: "magnitude" removes the neurons with the smallest product of norms, of the weights into and out of
            them (the L2 criterion of Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, on both sides);
            "importance" those that the loss depends on least, to first order (see importance.py).
        seed: of the order of samples.
        samples: labelled training texts that importance is evaluated on.
    """

    takes = "checkpoint"
    gives = "checkpoint"

    fraction: float = 0.5
    criterion: str = "magnitude"
    seed: int = 0
    samples: int = 256

    def __post_init__(self) -> None:
        if isinstance(self.fraction, int | float) and not 0 < self.fraction < 1:
            raise UserError(f"step 'ffn-pruning': fraction is {self.fraction}, but must be above 0 and below 1.")
        if isinstance(self.criterion, str) and self.criterion not in _CRITERIA:
            hint = did_you_mean(self.criterion, _CRITERIA)
            raise UserError(f"step 'ffn-pruning': criterion is '{self.criterion}'. {hint}")
        if isinstance(self.samples, int) and self.samples < 1:
            raise UserError(f"step 'ffn-pruning': samples is {self.samples}, but must be at least 1.")

    @property
    def reads_labels(self) -> bool:
        """Only importance needs labelled texts."""
        return self.criterion == "importance"

    def infer_shape(self, shape: Shape) -> Shape:
        """Fewer neurons, if any are removed."""
        check_layers(shape, self.name)
        if shape.neurons is None:
            return shape
        check_removes(self.name, "fraction", self.fraction, shape.neurons, "neurons a layer")
        return replace(shape, neurons=remaining(shape.neurons, self.fraction))

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the smaller checkpoint; return how many neurons each layer had and has.

        Raises:
            UserError: if importance finds no labelled texts.
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
    """Return, for every layer, the norm of the weights into each neuron × the norm of those out of it, [neurons]."""
    from runner.techniques.pruning.layers import full_weight

    scores = []
    for layer in layers:
        into, out = (full_weight(linear) for linear in layer.feed_forward)
        rows = into.view(layer.gates, layer.neurons, -1)  # of a gated neuron there is more than one
        scores.append(rows.norm(dim=(0, 2)) * out.norm(dim=0))
    return scores


def strongest(scores: torch.Tensor, fraction: float) -> torch.Tensor:
    """Return the neurons to keep, in order: all but the lowest `fraction`, and at least one."""
    return scores.argsort(descending=True, stable=True)[: remaining(len(scores), fraction)].sort().values
