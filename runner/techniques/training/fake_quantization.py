"""Fake-quantize a model: it computes in float32 with values that int8 can hold, so that training adapts to them.

The scheme is that of ONNX Runtime's static quantization: uint8 activations with a zero point and one range per tensor,
int8 weights that are symmetric around 0 with one scale per output column, and uint8 tables of embeddings. As in Jacob
et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018
(arXiv:1712.05877), the range of weights is given by their extremes, and that of activations by a moving average of the
batches' extremes. Within the range, rounding has the gradient of the identity (the straight-through estimator; Bengio,
Léonard and Courville 2013, arXiv:1308.3432).
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import nn

from runner.engines.checkpoint import replace_module

_MOMENTUM = 0.99  # of the moving averages, per step
_LEVELS = 255  # the number of uint8's levels above the lowest
_EIGHT_BITS, _SEVEN_BITS = 127, 64  # ONNX Runtime's largest weight; the smallest is its negative
_TINY = torch.finfo(torch.float32).tiny
_Model = TypeVar("_Model", bound=nn.Module)


class MovingRange(nn.Module):
    """A module that rounds values by a range, which follows the extremes of the training batches.

    Attributes:
        low, high: the ends of the range, float32 scalars. The range always includes 0.
    """

    low: torch.Tensor
    high: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(0.0))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the values rounded and clipped to the range. In training, the range is updated first."""
        if self.training:
            self._move(values.detach())
        return round_to_range(values, self.low, self.high)

    def _move(self, values: torch.Tensor) -> None:
        low, high = values.aminmax()
        if self.low == self.high:  # the first batch
            self.low.copy_(low.clamp(max=0))
            self.high.copy_(high.clamp(min=0))
        self.low.lerp_(low.clamp(max=0), 1 - _MOMENTUM)
        self.high.lerp_(high.clamp(min=0), 1 - _MOMENTUM)


class FakeQuantizedLinear(nn.Module):
    """A linear layer with rounded input and weights. Sums and bias stay exact.

    Args:
        layer: the layer. Its exact weights are trained, and rounded in every call.
        reduce_range: whether weights have 7 bits.
    """

    def __init__(self, layer: nn.Linear, reduce_range: bool) -> None:
        super().__init__()
        self.layer, self.input = layer, MovingRange()
        self._largest = _SEVEN_BITS if reduce_range else _EIGHT_BITS

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the layer's output with rounded input and weights."""
        return nn.functional.linear(self.input(values), round_rows(self.layer.weight, self._largest), self.layer.bias)


class FakeQuantizedEmbedding(nn.Module):
    """A table of embeddings whose range is that of the whole table."""

    def __init__(self, layer: nn.Embedding) -> None:
        super().__init__()
        self.layer = layer

    @property
    def weight(self) -> torch.Tensor:
        """The exact table, which is trained."""
        return self.layer.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return rows of the rounded table."""
        return round_to_range(self.layer(ids), *self.layer.weight.detach().aminmax())


def fake_quantize(model: nn.Module, reduce_range: bool, embeddings: bool) -> None:
    """Wrap every linear layer of a model, and every table of embeddings if `embeddings`. The weights are shared."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear):
            replace_module(model, name, FakeQuantizedLinear(module, reduce_range))
        elif embeddings and isinstance(module, nn.Embedding):
            replace_module(model, name, FakeQuantizedEmbedding(module))


def unwrapped(model: _Model) -> _Model:
    """Return a copy of a model without the wrappers of `fake_quantize`, with its current exact weights."""
    plain = copy.deepcopy(model)
    for name, module in list(plain.named_modules()):
        if isinstance(module, FakeQuantizedLinear | FakeQuantizedEmbedding):
            replace_module(plain, name, module.layer)
    return plain


def input_ranges(model: nn.Module) -> dict[str, tuple[float, float]]:
    """Return the range of every linear layer's input, by the layer's name without the wrapper."""
    return {
        name: (module.input.low.item(), module.input.high.item())
        for name, module in model.named_modules()
        if isinstance(module, FakeQuantizedLinear)
    }


def round_to_range(values: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Return values rounded to 256 levels from `low` to `high`, one of which is 0, and clipped to them."""
    low, high = low.double().clamp(max=0), high.double().clamp(min=0)
    step = ((high - low) / _LEVELS).clamp(min=_TINY)
    zero = (-low / step).round().float()
    return _round(values, step.float(), -zero, _LEVELS - zero)


def round_rows(weights: torch.Tensor, largest: int) -> torch.Tensor:
    """Return weights [outputs, inputs] rounded to whole multiples of each row's own step, at most `largest` of them."""
    steps = (weights.detach().abs().amax(1, keepdim=True).double() / largest).clamp(min=_TINY)
    return _round(weights, steps.float(), -largest, largest)


def _round(values: torch.Tensor, step: torch.Tensor, lowest: Any, highest: Any) -> torch.Tensor:
    rounded: torch.Tensor = _Rounding.apply(values, step, lowest, highest)  # type: ignore[no-untyped-call]
    return rounded


class _Rounding(torch.autograd.Function):
    """Round values to whole multiples of a step within two bounds, with a straight-through gradient.

    It divides as ONNX Runtime does. torch's own fake quantization multiplies by the inverse instead, which can give
    another multiple for a value halfway between two.
    """

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, step: torch.Tensor, lowest: Any, highest: Any) -> torch.Tensor:
        multiples = (values / step).round_()
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward((multiples >= lowest) & (multiples <= highest))
        return multiples.clamp_(lowest, highest).mul_(step)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return gradient * inside, None, None, None
