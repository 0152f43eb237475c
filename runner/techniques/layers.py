"""The layers of an encoder, and their linear layers, as the steps that cut them down see them.

A linear layer may already be the product of two (`runner.engines.checkpoint.LowRank`): it can be cut all the same.
"""

from __future__ import annotations

from typing import Any

import torch

from runner.engines.checkpoint import LowRank
from runner.errors import UserError


def encoder_layers(model: Any, step: str) -> Any:
    """Return the encoder's layers (a ModuleList), lowest first.

    Raises:
        UserError: if they are not made as in BERT, RoBERTa and MPNet; `step` is the name that is refused.
    """
    layers = getattr(getattr(model.base_model, "encoder", None), "layer", [])
    if not len(layers) or not all(hasattr(layer, "intermediate") and hasattr(layer, "output") for layer in layers):
        raise UserError(
            f"step '{step}' knows the layers of BERT, RoBERTa and MPNet, but not those of {model.config.model_type}. "
            "Exclude the two from meeting in the grid."
        )
    return layers


def feed_forward(layer: Any) -> tuple[Any, Any]:
    """Return the two linear layers of a layer's feed-forward network: hidden → neurons, and neurons → hidden."""
    return layer.intermediate.dense, layer.output.dense


def full_weight(linear: Any) -> torch.Tensor:
    """Return the weight, [outputs, inputs], of a linear layer or of the product of two."""
    if isinstance(linear, LowRank):
        product: torch.Tensor = linear.up.weight.data @ linear.down.weight.data
        return product
    weight: torch.Tensor = linear.weight.data
    return weight


def side(linear: Any, dim: int) -> Any:
    """Return what holds the outputs (dim 0) or the inputs (dim 1) of a linear layer: itself, or one of two factors."""
    if isinstance(linear, LowRank):
        return linear.up if dim == 0 else linear.down
    return linear


def cut(linear: Any, indices: torch.Tensor, dim: int) -> None:
    """Keep these outputs (dim 0) or inputs (dim 1) of a linear layer, in this order."""
    part = side(linear, dim)
    part.weight.data = part.weight.data.index_select(dim, indices)
    if dim == 0 and part.bias is not None:
        part.bias.data = part.bias.data[indices]
    part.out_features, part.in_features = part.weight.shape
