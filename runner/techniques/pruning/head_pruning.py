"""Remove attention heads, and with them their share of the weights."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import UserError, did_you_mean
from runner.techniques.shape import Shape, check_attention, check_removes, remaining
from runner.techniques.step import Step, StepInputs, step

_CRITERIA = ("random", "importance")


@step("head-pruning")
@dataclass
class HeadPruning(Step):
    """checkpoint → checkpoint with fewer heads, at least one in every layer.

    Attributes:
        fraction: of all heads that is removed, above 0 and below 1.
        criterion: "random" removes the same share of every layer's heads, drawn by `seed`; "importance" removes those
            that the loss depends on least in the whole model, after Michel, Levy and Neubig, "Are Sixteen Heads Really
            Better than One?", NeurIPS 2019.
        seed: of the draw, and of the order of samples.
        samples: labelled training texts that importance is evaluated on.
    """

    takes = "checkpoint"
    gives = "checkpoint"

    fraction: float = 0.5
    criterion: str = "random"
    seed: int = 0
    samples: int = 256

    def __post_init__(self) -> None:
        if isinstance(self.fraction, int | float) and not 0 < self.fraction < 1:
            raise UserError(f"step 'head-pruning': fraction is {self.fraction}, but must be above 0 and below 1.")
        if isinstance(self.criterion, str) and self.criterion not in _CRITERIA:
            hint = did_you_mean(self.criterion, _CRITERIA)
            raise UserError(f"step 'head-pruning': criterion is '{self.criterion}'. {hint}")
        if isinstance(self.samples, int) and self.samples < 1:
            raise UserError(f"step 'head-pruning': samples is {self.samples}, but must be at least 1.")

    @property
    def reads_labels(self) -> bool:
        """Only importance needs labelled texts."""
        return self.criterion == "importance"

    def infer_shape(self, shape: Shape) -> Shape:
        """Fewer heads, if any are removed; how importance spreads them over the layers is not known."""
        check_attention(shape, self.name)
        if shape.heads is None:
            return shape
        if self.criterion == "random":
            check_removes(self.name, "fraction", self.fraction, max(shape.heads), "heads a layer")
            return replace(shape, heads=tuple(remaining(count, self.fraction) for count in shape.heads))
        check_removes(self.name, "fraction", self.fraction, sum(shape.heads), "heads")
        return replace(shape, heads=None)

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the smaller checkpoint; return the heads kept, by layer.

        Raises:
            UserError: if importance finds no labelled texts.
        """
        import torch

        from runner.engines.checkpoint import load_checkpoint, save_checkpoint
        from runner.techniques.pruning.layers import encoder_layers

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        model = load_checkpoint(inputs.source)
        layers = encoder_layers(model, self.name)
        counts = [layer.heads for layer in layers]
        if self.criterion == "random":
            keep = choose_random(counts, self.fraction, self.seed)
        else:
            keep = choose_important(self._importance(model, inputs), self.fraction)
        for layer, heads in zip(layers, keep, strict=True):
            layer.keep_heads(heads)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return {"heads_before": counts, "heads_kept": keep}

    def _importance(self, model: Any, inputs: StepInputs) -> list[list[float]]:
        from runner.techniques.pruning.importance import sample_batches

        samples = sample_batches(inputs, model.config, self.samples, self.seed, "head-pruning", instead="random")
        return head_importance(model, samples)


def choose_random(counts: list[int], fraction: float, seed: int) -> list[list[int]]:
    """Return the heads to keep in every layer: of each the same share, at random, but at least one."""
    generator = random.Random(seed)
    return [sorted(generator.sample(range(count), remaining(count, fraction))) for count in counts]


def choose_important(importance: list[list[float]], fraction: float) -> list[list[int]]:
    """Return the heads to keep in every layer: the least important of the whole model go, but never a layer's last."""
    keep = [set(range(len(layer))) for layer in importance]
    ranked = sorted((value, layer, head) for layer, row in enumerate(importance) for head, value in enumerate(row))
    surplus = round(fraction * len(ranked))
    for _, layer, head in ranked:
        if surplus and len(keep[layer]) > 1:
            keep[layer].remove(head)
            surplus -= 1
    return [sorted(heads) for heads in keep]


def head_importance(model: Any, batches: Iterator[dict[str, Any]]) -> list[list[float]]:
    """Return the importance of every head (see importance.py), divided by its layer's L2 norm, as Michel et al. do."""
    from runner.techniques.pruning.importance import gate_importance
    from runner.techniques.pruning.layers import encoder_layers

    layers = encoder_layers(model, HeadPruning.name)
    total = gate_importance(model, [layer.attended for layer in layers], [layer.heads for layer in layers], batches)
    return [(value / value.norm().clamp_min(1e-20)).tolist() for value in total]
