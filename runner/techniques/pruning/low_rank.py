"""Factorise linear layers: each becomes the product of two thin ones, by its singular values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import UserError
from runner.techniques.shape import Shape, check_layers
from runner.techniques.step import Step, StepInputs, step

if TYPE_CHECKING:
    from runner.engines.checkpoint import LowRank


@step("low-rank")
@dataclass
class LowRankFactors(Step):
    """checkpoint → checkpoint whose layers' linear layers have a lower rank.

    The best approximation of a matrix by one of that rank, in the Frobenius norm (Eckart and Young, 1936), is its
    truncated singular value decomposition. A layer of m inputs and n outputs shrinks if rank < m · n ÷ (m + n).

    Attributes:
        rank: of every factorised layer.
        attention: factorise the attention's layers, too, not the feed-forward network's alone.
    """

    takes = "checkpoint"
    gives = "checkpoint"

    rank: int = 192
    attention: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.rank, int) and self.rank < 1:
            raise UserError(f"step 'low-rank': rank is {self.rank}, but must be at least 1.")

    def infer_shape(self, shape: Shape) -> Shape:
        """The same shape, if the smallest of the matrices has so high a rank."""
        check_layers(shape, self.name)
        sides = {"hidden width": shape.hidden, "neurons": shape.neurons}
        if self.attention and shape.heads and shape.head_size:
            sides["heads' width"] = min(shape.heads) * shape.head_size
        for what, size in sides.items():
            if size is not None and self.rank > size:
                raise UserError(
                    f"step 'low-rank': rank is {self.rank}, but the model's {what} is {size}: at most {size}."
                )
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the factorised checkpoint; return its parameters, and how much of the weights' square sum is kept."""
        import torch

        from runner.engines.checkpoint import load_checkpoint, replace_module, save_checkpoint

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        model = load_checkpoint(inputs.source)
        before = _parameters(model)
        kept = {}
        for name, linear in _chosen(model, self.attention).items():
            factors, kept[name] = factorise(linear, self.rank)
            replace_module(model, name, factors)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return {"parameters_before": before, "parameters": _parameters(model), "energy_kept": kept}


def factorise(linear: Any, rank: int) -> tuple[LowRank, float]:
    """Return the best two factors of a linear layer, and the share of its squared singular values that they keep.

    Both factors carry the square root of the singular values, so that neither has a wider range than the other.
    """
    import torch

    from runner.engines.checkpoint import LowRank
    from runner.techniques.pruning.layers import full_weight

    left, values, right = torch.linalg.svd(full_weight(linear), full_matrices=False)
    bias = linear.up.bias if isinstance(linear, LowRank) else linear.bias
    factors = LowRank(linear.in_features, rank, linear.out_features, bias is not None)
    roots = values[:rank].sqrt()
    factors.down.weight.data = (roots[:, None] * right[:rank]).contiguous()
    factors.up.weight.data = (left[:, :rank] * roots).contiguous()
    if bias is not None:
        factors.up.bias.data = bias.data
    return factors, float(values[:rank].square().sum() / values.square().sum())


def _chosen(model: Any, attention: bool) -> dict[str, Any]:
    """Return the linear layers to factorise by their names in the model."""
    from runner.techniques.pruning.layers import encoder_layers

    found: list[Any] = []
    for layer in encoder_layers(model, "low-rank"):
        found += layer.feed_forward
        if attention:
            found += [*layer.projections, layer.attended]
    return {name: module for name, module in model.named_modules() if any(module is part for part in found)}


def _parameters(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
