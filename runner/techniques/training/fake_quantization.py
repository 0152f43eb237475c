"""Fake quantization: a model computes in float32 with the values that int8 can hold, so that it can learn to.

The scheme is that of ONNX Runtime's static quantization: uint8 activations with a zero point, one range per tensor;
int8 weights symmetric around 0, one scale per output column; uint8 tables of embeddings. Jacob et al., "Quantization
and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018 (arXiv:1712.05877): weights
are rounded by their own extremes, activations by a moving average of the batches' extremes. Rounding has the gradient
of doing nothing, within the range (the straight-through estimator; Bengio, Léonard and Courville 2013,
arXiv:1308.3432).
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import nn

from runner.engines.checkpoint import replace_module

_MOMENTUM = 0.99  # of the moving averages, a step
_LEVELS = 255  # of uint8, above the lowest
_EIGHT_BITS, _SEVEN_BITS = 127, 64  # ONNX Runtime's largest weight; the smallest is its negative
_TINY = torch.finfo(torch.float32).tiny
_Model = TypeVar("_Model", bound=nn.Module)


class MovingRange(nn.Module):
    """Rounds what it is given by a range that follows the extremes of the batches it is trained on.

    Attributes:
        low, high: the ends of the range, float32 scalars; 0 is always inside.
    """

    low: torch.Tensor
    high: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(0.0))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return them rounded, and cut to the range; in training, the range moves first."""
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
    """A linear layer with rounded input and weights; sums and bias stay exact.

    Args:
        layer: its weights are rounded anew in every call, and trained themselves.
        reduce_range: 7-bit weights.
    """

    def __init__(self, layer: nn.Linear, reduce_range: bool) -> None:
        super().__init__()
        self.layer, self.input = layer, MovingRange()
        self._largest = _SEVEN_BITS if reduce_range else _EIGHT_BITS

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Return the product of what is left of both after rounding."""
        return nn.functional.linear(self.input(values), round_rows(self.layer.weight, self._largest), self.layer.bias)


class FakeQuantizedEmbedding(nn.Module):
    """A table of embeddings, rounded by the extremes of the whole table."""

    def __init__(self, layer: nn.Embedding) -> None:
        super().__init__()
        self.layer = layer

    @property
    def weight(self) -> torch.Tensor:
        """The table as it is trained, not rounded."""
        return self.layer.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return rows of the rounded table."""
        return round_to_range(self.layer(ids), *self.layer.weight.detach().aminmax())


def fake_quantize(model: nn.Module, reduce_range: bool, embeddings: bool) -> None:
    """Wrap every linear layer of a model, and every table of embeddings if `embeddings`; the weights are shared."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear):
            replace_module(model, name, FakeQuantizedLinear(module, reduce_range))
        elif embeddings and isinstance(module, nn.Embedding):
            replace_module(model, name, FakeQuantizedEmbedding(module))


def unwrapped(model: _Model) -> _Model:
    """Return a copy of a model as it was before `fake_quantize`, with the weights of now, not rounded."""
    plain = copy.deepcopy(model)
    for name, module in list(plain.named_modules()):
        if isinstance(module, FakeQuantizedLinear | FakeQuantizedEmbedding):
            replace_module(plain, name, module.layer)
    return plain


def input_ranges(model: nn.Module) -> dict[str, tuple[float, float]]:
    """Return the range of every linear layer's input, by the layer's name before it was wrapped."""
    return {
        name: (module.input.low.item(), module.input.high.item())
        for name, module in model.named_modules()
        if isinstance(module, FakeQuantizedLinear)
    }


def round_to_range(values: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Return values rounded to 256 levels from `low` to `high`, of which one is 0, and cut to them."""
    low, high = low.double().clamp(max=0), high.double().clamp(min=0)
    step = ((high - low) / _LEVELS).clamp(min=_TINY)
    zero = (-low / step).round().float()
    return _round(values, step.float(), -zero, _LEVELS - zero)


def round_rows(weights: torch.Tensor, largest: int) -> torch.Tensor:
    """Return weights [outputs, inputs] rounded to whole multiples, at most `largest`, of each row's own step."""
    steps = (weights.detach().abs().amax(1, keepdim=True).double() / largest).clamp(min=_TINY)
    return _round(weights, steps.float(), -largest, largest)


def _round(values: torch.Tensor, step: torch.Tensor, lowest: Any, highest: Any) -> torch.Tensor:
    rounded: torch.Tensor = _Rounding.apply(values, step, lowest, highest)  # type: ignore[no-untyped-call]
    return rounded


class _Rounding(torch.autograd.Function):
    """Rounds values to whole multiples of a step, from the one multiple to the other, with a straight-through gradient.

    It divides as ONNX Runtime does: torch's own fake quantization multiplies by the inverse, and so comes to another
    multiple where a value lies between two.
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
