"""Choose whole heads and neurons by movement pruning during training, and remove them.

Lagunas, Charlaix, Sanh and Rush, "Block Pruning For Faster Transformers", EMNLP 2021: scores are learnt as in movement
pruning (see movement_pruning.py), but for blocks of weights that can be removed. A block here is an attention head (its
rows of query, key and value, and its columns of the output) or a neuron of the feed-forward network (a row of the first
matrix and a column of the second). Every layer loses the same share of its blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UserError
from runner.techniques.pruning.movement_pruning import add_movement
from runner.techniques.pruning.sparse_training import GradualPruning, Pruning
from runner.techniques.shape import Shape, check_attention, check_removes, remaining
from runner.techniques.step import StepInputs, step

if TYPE_CHECKING:
    import torch

    from runner.techniques.pruning.layers import Layer


@step("block-movement-pruning")
@dataclass
class BlockMovementPruning(GradualPruning):
    """checkpoint → checkpoint with fewer heads and neurons, which training chooses; see
    `runner.techniques.pruning.sparse_training`.

    Attributes:
        heads: the share of every layer's attention heads that is removed. At least one head stays.
        neurons: the share of every layer's neurons that is removed. At least one neuron stays.
    """

    heads: float = 0.0
    neurons: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("heads", "neurons"):
            self.check(key, "at least 0 and below 1", lambda value: 0 <= value < 1)
        if not self.heads and not self.neurons:
            raise UserError(
                "step 'block-movement-pruning': heads and neurons are both 0, which removes nothing. Set one of them."
            )

    def infer_shape(self, shape: Shape) -> Shape:
        """Return a shape with fewer heads and neurons, and check that some are removed."""
        shape = super().infer_shape(shape)
        if self.neurons and shape.neurons is not None:
            check_removes(self.name, "neurons", self.neurons, shape.neurons, "neurons per layer")
            shape = replace(shape, neurons=remaining(shape.neurons, self.neurons))
        if not self.heads:
            return shape
        check_attention(shape, self.name)
        if shape.heads is None:
            return shape
        check_removes(self.name, "heads", self.heads, max(shape.heads), "heads per layer")
        return replace(shape, heads=tuple(remaining(count, self.heads) for count in shape.heads))

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Train and prune the model. Return the notes of `fit`, and the heads and neurons that each layer keeps.

        Raises:
            UserError: if the time limit is reached before these shares are removed.
        """
        from runner.engines.checkpoint import save_checkpoint
        from runner.techniques.pruning.layers import encoder_layers

        assert inputs.source is not None
        model = self.start(inputs)
        layers = encoder_layers(model, self.name)
        heads = [head_blocks(layer, self.heads) for layer in layers if self.heads]
        neurons = [neuron_blocks(layer, self.neurons) for layer in layers if self.neurons]
        pruning = BlockMovement([*heads, *neurons], self)
        notes = self.fit(model, inputs, pruning)
        kept = pruning.kept
        notes |= remove_heads(layers, kept[: len(heads)]) | remove_neurons(model, layers, kept[len(heads) :])
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return notes


@dataclass(frozen=True)
class Blocks:
    """The heads or the neurons of one layer.

    Attributes:
        rows: the weights that compute the blocks, [times · count · size, …].
        columns: the weight that reads the blocks, […, count · size].
        count: the number of blocks.
        share: the share of the blocks to remove.
        times: how many times each weight in `rows` holds all blocks.
    """

    rows: list[torch.nn.Parameter]
    columns: torch.nn.Parameter
    count: int
    share: float
    times: int = 1

    def sums(self, values: list[torch.Tensor]) -> torch.Tensor:
        """Return the sum of the values in each block, [count]. Values have the shapes of the rows and the columns."""
        import torch

        return torch.stack([value.sum((0, 2, 3)) for value in self._by_block(values)]).sum(0)

    def write_masks(self, masks: list[torch.Tensor], kept: torch.Tensor) -> None:
        """Set masks to 1 on the kept blocks and to 0 elsewhere. They have the shapes of the rows and the columns."""
        for mask in self._by_block(masks):
            mask.zero_()
            mask[:, kept] = 1

    def _by_block(self, values: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return views of the values, each [times, count, size, …]."""
        columns = values[-1].T
        rows = [value.view(self.times, self.count, -1, value.shape[1]) for value in values[:-1]]
        return [*rows, columns.view(1, self.count, -1, columns.shape[1])]


class BlockMovement(Pruning):
    """Pruning of blocks. The score of a block is the sum of its weights' movement.

    Args:
        blocks: the heads and the neurons of every layer.
        schedule: the step's settings, which say when blocks are removed.

    Attributes:
        kept: the blocks that are left in each entry of `blocks`, in rising order.
    """

    def __init__(self, blocks: list[Blocks], schedule: GradualPruning) -> None:
        import torch

        super().__init__([weight for entry in blocks for weight in (*entry.rows, entry.columns)], schedule)
        self._blocks = blocks
        self._scores = [torch.zeros_like(whole) for whole in self.whole]
        self.kept = [torch.arange(entry.count) for entry in blocks]

    def see_gradients(self, gradients: list[torch.Tensor]) -> None:
        """Add the movement of one step."""
        add_movement(self._scores, gradients, self.whole)

    def choose(self, grown: float) -> None:
        """Mask the blocks that moved most towards 0 in every layer."""
        from runner.techniques.pruning.ffn_pruning import strongest

        first = 0
        for index, blocks in enumerate(self._blocks):
            part = slice(first, first + len(blocks.rows) + 1)
            self.kept[index] = strongest(blocks.sums(self._scores[part]), grown * blocks.share)
            blocks.write_masks(self.masks[part], self.kept[index])
            first = part.stop


def head_blocks(layer: Layer, share: float) -> Blocks:
    """Return a layer's attention heads as blocks, with the share to remove."""
    from runner.techniques.pruning.layers import side

    rows = [side(linear, 0).weight for linear in layer.projections]
    return Blocks(rows, side(layer.attended, 1).weight, layer.heads, share, layer.shares)


def neuron_blocks(layer: Layer, share: float) -> Blocks:
    """Return a layer's neurons as blocks, with the share to remove."""
    from runner.techniques.pruning.layers import side

    into, out = layer.feed_forward
    return Blocks([side(into, 0).weight], side(out, 1).weight, layer.neurons, share, layer.gates)


def remove_heads(layers: Sequence[Layer], kept: list[torch.Tensor]) -> dict[str, list[list[int]]]:
    """Keep only these heads of every layer, and return a note that lists them. An empty list removes no heads."""
    if not kept:
        return {}
    for layer, heads in zip(layers, kept, strict=True):
        layer.keep_heads(heads.tolist())
    return {"heads_kept": [heads.tolist() for heads in kept]}


def remove_neurons(model: Any, layers: Sequence[Layer], kept: list[torch.Tensor]) -> dict[str, list[int]]:
    """Keep only these neurons of every layer, and return a note of their numbers. An empty list removes no neurons."""
    from runner.techniques.pruning.layers import set_neurons

    if not kept:
        return {}
    for layer, neurons in zip(layers, kept, strict=True):
        layer.keep_neurons(neurons)
    sizes = [len(neurons) for neurons in kept]
    set_neurons(model, sizes)
    return {"neurons_kept": sizes}
