"""Keep some of the layers, and drop the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runner.errors import UserError
from runner.models.architectures import ARCHITECTURES
from runner.techniques.shape import Shape, check_layers
from runner.techniques.step import Step, StepInputs, step


@step("layer-pruning")
@dataclass
class LayerPruning(Step):
    """checkpoint → checkpoint of fewer layers; fine-tune or distil it afterwards. ALBERT, whose layers are all the same
    one, runs it less often: it gets faster, and no smaller.

    Sajjad et al., "On the Effect of Dropping Layers of Pre-trained Transformer Models", 2020 (arXiv:2004.03844).

    Attributes:
        keep: a share below 1 or a number of layers, evenly spaced with the lowest and the highest among them (as
            DistilBERT was initialised, Sanh et al. 2019); or a list of the layers themselves, from 0.
    """

    takes = "checkpoint"
    gives = "checkpoint"

    keep: Any = 0.5

    def __post_init__(self) -> None:
        keep = self.keep
        if isinstance(keep, list):
            good = bool(keep) and all(type(layer) is int and layer >= 0 for layer in keep) and sorted(set(keep)) == keep
        else:
            good = (type(keep) is int and keep >= 1) or (type(keep) is float and 0 < keep < 1)
        if not good:
            raise UserError(
                f"step 'layer-pruning': keep is {keep}, but must be a share above 0 and below 1, a number of layers "
                "from 1 on, or a list of layers in rising order, such as [0, 2, 4]."
            )

    def infer_shape(self, shape: Shape) -> Shape:
        """Fewer layers, if there are as many as are to be kept."""
        check_layers(shape, self.name)
        if shape.layers is None:
            return shape
        kept = choose_layers(shape.layers, self.keep)
        architecture = ARCHITECTURES.get(str(shape.model_type))
        if architecture and architecture.first_layer_differs and kept[0] != 0:
            raise UserError(
                f"step 'layer-pruning': keep is {self.keep}, but the first layer of {shape.model_type} is unlike the "
                "others and must stay: begin with 0."
            )
        shape = replace(shape, layers=len(kept))
        if shape.heads is None or (architecture and architecture.one_layer_repeated):
            return shape
        return replace(shape, heads=tuple(shape.heads[layer] for layer in kept))

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the shallower checkpoint; return the layers kept."""
        from runner.engines.checkpoint import load_checkpoint, save_checkpoint
        from runner.techniques.pruning.layers import keep_layers

        assert inputs.source is not None
        model = load_checkpoint(inputs.source)
        kept = choose_layers(model.config.num_hidden_layers, self.keep)
        keep_layers(model, kept)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return {"layers_kept": kept}


def choose_layers(count: int, keep: Any) -> list[int]:
    """Return which of `count` layers to keep; for `keep` see `LayerPruning`.

    Raises:
        UserError: if there are not as many.
    """
    if isinstance(keep, list):
        if keep[-1] >= count:
            raise UserError(f"step 'layer-pruning': keep names layer {keep[-1]}, but the model has 0 to {count - 1}.")
        return list(keep)
    number = keep if isinstance(keep, int) else max(1, round(keep * count))
    if number > count:
        raise UserError(f"step 'layer-pruning': keep is {number}, but the model has {count} layers.")
    return [round(place * (count - 1) / max(1, number - 1)) for place in range(number)]
