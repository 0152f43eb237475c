"""Factorise linear layers by their singular values: each becomes the product of two thin ones."""

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
    """checkpoint → checkpoint with linear layers of lower rank.

    The truncated singular value decomposition is the best approximation of a matrix by one of that rank, in the
    Frobenius norm (Eckart and Young, 1936). A layer of m inputs and n outputs shrinks if rank < m · n ÷ (m + n).

    Attributes:
        rank: the rank of every factorised layer.
        attention: whether the attention's layers are factorised in addition to the feed-forward network's.
    """

    takes = "checkpoint"
    gives = "checkpoint"

    rank: int = 192
    attention: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.rank, int) and self.rank < 1:
            raise UserError(f"step 'low-rank': rank is {self.rank}, but must be at least 1.")

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the rank is not above that of any matrix."""
        check_layers(shape, self.name)
        sides = {"hidden width": shape.hidden, "number of neurons": shape.neurons}
        if self.attention and shape.heads and shape.head_size:
            sides["heads' width"] = min(shape.heads) * shape.head_size
        for what, size in sides.items():
            if size is not None and self.rank > size:
                raise UserError(
                    f"step 'low-rank': rank is {self.rank}, but must be at most {size}, the model's {what}."
                )
        return shape

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the factorised checkpoint. Return its number of parameters, and the energy that each layer keeps."""
        import torch

        from runner.engines.checkpoint import load_checkpoint, replace_module, save_checkpoint

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        model = load_checkpoint(inputs.source)
        before = _parameters(model)
        kept = {}
        for name, linear in _linears_to_factorise(model, self.attention).items():
            factors, kept[name] = factorise(linear, self.rank)
            replace_module(model, name, factors)
        save_checkpoint(model, target, tokenizer_from=inputs.source)
        return {"parameters_before": before, "parameters": _parameters(model), "energy_kept": kept}


def factorise(linear: Any, rank: int) -> tuple[LowRank, float]:
    """Return the two best factors of a linear layer, and the share of its squared singular values that they keep.

    Each factor contains the square roots of the singular values, so that both have equally wide ranges.
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


def _linears_to_factorise(model: Any, attention: bool) -> dict[str, Any]:
    """Return the linear layers to factorise, by their names in the model."""
    from runner.techniques.pruning.layers import encoder_layers

    linears: list[Any] = []
    for layer in encoder_layers(model, "low-rank"):
        linears += layer.feed_forward
        if attention:
            linears += [*layer.projections, layer.attended]
    return {name: module for name, module in model.named_modules() if any(module is linear for linear in linears)}


def _parameters(model: Any) -> int:
    return sum(parameter.numel() for parameter in model.parameters())
