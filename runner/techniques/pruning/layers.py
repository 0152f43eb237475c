"""Find the parts of an encoder's layers in every architecture, and remove heads, neurons or layers.

A linear layer may already be the product of two (`runner.engines.checkpoint.LowRank`). It can be cut as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from runner.engines.checkpoint import LowRank, count_heads
from runner.models.architectures import ARCHITECTURES, Architecture
from runner.techniques.shape import known_architecture


class Layer:
    """One layer of an encoder, which may run it more than once.

    Attributes:
        module: the layer's module.
        head_size: the width of a head's queries.
    """

    def __init__(self, module: Any, architecture: Architecture, head_size: int) -> None:
        self.module, self.head_size, self._architecture = module, head_size, architecture

    @property
    def projections(self) -> list[Any]:
        """The linear layers that compute the heads' inputs, queries first, each [shares · heads · head_size]."""
        names = dict(self.module.named_modules())
        return [names[name] for name in self._architecture.projections if name in names]

    @property
    def attended(self) -> Any:
        """The linear layer that takes the heads' outputs, [heads · head_size]."""
        return self.module.get_submodule(self._architecture.attended)

    @property
    def feed_forward(self) -> tuple[Any, Any]:
        """The two linear layers: hidden → gates · neurons, and neurons → hidden."""
        architecture = self._architecture
        return self.module.get_submodule(architecture.into), self.module.get_submodule(architecture.out)

    @property
    def shares(self) -> int:
        """How many times the outputs of a projection hold every head."""
        return self._architecture.shares

    @property
    def gates(self) -> int:
        """How many times the outputs of the first linear layer of the feed-forward network hold every neuron."""
        return self._architecture.gates

    @property
    def heads(self) -> int:
        """The number of heads."""
        return int(self.attended.in_features // self.head_size)

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return int(self.feed_forward[1].in_features)

    def keep_heads(self, heads: Sequence[int]) -> None:
        """Keep only these heads: their rows of the projections, and their columns of the layer after them."""
        before = self.heads
        columns = torch.cat([torch.arange(head * self.head_size, (head + 1) * self.head_size) for head in heads])
        rows = _repeated(columns, before * self.head_size, self.shares)
        for linear in self.projections:
            cut(linear, rows, dim=0)
        cut(self.attended, columns, dim=1)
        count_heads(self.module)

    def keep_neurons(self, neurons: torch.Tensor) -> None:
        """Keep only these neurons of the feed-forward network."""
        before = self.neurons
        into, out = self.feed_forward
        cut(into, _repeated(neurons, before, self.gates), dim=0)
        cut(out, neurons, dim=1)


def encoder_layers(model: Any, step: str) -> list[Layer]:
    """Return the encoder's layers, lowest first. A layer that is run more than once is listed once.

    Raises:
        UserError: if the architecture is not known. The message names `step`.
    """
    config = model.config
    architecture = known_architecture(config.model_type, step, "layers")
    modules = [model.base_model]
    for name in architecture.layers.split(".*."):
        modules = [entry for module in modules for entry in module.get_submodule(name)]
    return [Layer(module, architecture, config.hidden_size // config.num_attention_heads) for module in modules]


def keep_layers(model: Any, kept: Sequence[int]) -> None:
    """Keep only these layers of a model. If it repeats one layer, it repeats it less often."""
    config, architecture = model.config, ARCHITECTURES[model.config.model_type]
    if not architecture.one_layer_repeated:
        parent, _, name = architecture.layers.rpartition(".")
        layers = model.base_model.get_submodule(architecture.layers)
        setattr(model.base_model.get_submodule(parent), name, torch.nn.ModuleList(layers[index] for index in kept))
    if getattr(config, "layer_types", None):  # set if some layers attend only to near tokens
        config.layer_types = [config.layer_types[index] for index in kept]
    config.num_hidden_layers = len(kept)


def set_neurons(model: Any, sizes: list[int]) -> None:
    """Write the number of neurons into the config if all layers agree. Then transformers can load the model, too."""
    if len(set(sizes)) == 1:
        setattr(model.config, ARCHITECTURES[model.config.model_type].neurons_key, sizes[0])


def freeze_lowest(model: Any, count: int, step: str) -> None:
    """Exclude the embeddings and the lowest `count` layers from training, which saves their gradients."""
    frozen = [model.base_model.embeddings, *(layer.module for layer in encoder_layers(model, step)[:count])]
    if widening := ARCHITECTURES[model.config.model_type].widening:
        frozen += [part for name, part in model.base_model.named_modules() if name == widening]
    for module in frozen:
        module.requires_grad_(False)


def full_weight(linear: Any) -> torch.Tensor:
    """Return the weight of a linear layer or of the product of two, [outputs, inputs]."""
    if isinstance(linear, LowRank):
        product: torch.Tensor = linear.up.weight.data @ linear.down.weight.data
        return product
    weight: torch.Tensor = linear.weight.data
    return weight


def side(linear: Any, dim: int) -> Any:
    """Return the layer or factor that holds the outputs (dim 0) or the inputs (dim 1) of a linear layer."""
    if isinstance(linear, LowRank):
        return linear.up if dim == 0 else linear.down
    return linear


def cut(linear: Any, indices: torch.Tensor, dim: int) -> None:
    """Keep only these outputs (dim 0) or inputs (dim 1) of a linear layer, in this order."""
    part = side(linear, dim)
    part.weight.data = part.weight.data.index_select(dim, indices)
    if dim == 0 and part.bias is not None:
        part.bias.data = part.bias.data[indices]
    part.out_features, part.in_features = part.weight.shape


def _repeated(indices: torch.Tensor, size: int, times: int) -> torch.Tensor:
    """Return the indices repeated for each of `times` parts of `size` entries, [times · len(indices)]."""
    return torch.cat([indices + part * size for part in range(times)])
