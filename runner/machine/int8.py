"""Determine on which CPUs and with which weights int8 products saturate. Only this module contains these rules.

An x86 CPU without VNNI multiplies bytes with the instruction vpmaddubsw. It multiplies two unsigned activations (up to
255) by two signed weights (up to 127) and adds the two products in 16 bits. A sum above 32,767 is clipped: it saturates
without an error. VNNI adds in 32 bits, and so do Arm's dot products, asimddp and i8mm
(https://www.intel.com/content/www/us/en/docs/onednn/developer-guide-reference/current/nuances-of-int8-computations.html).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

EIGHT_BITS: Final = 8
SEVEN_BITS: Final = 7
LARGEST_OF_SEVEN_BITS: Final = 64  # 255 · 64 · 2 = 32,640 fits in 16 bits, 255 · 65 · 2 does not
ADVICE: Final = (
    "Weights in 7 bits do not saturate: try technique=onnx-int8-7bit or onnx-static-int8-7bit, or reduce_range: true "
    "in the int8 step of another technique."
)

_EMULATED_WITH = "avx2"  # a CPU without it runs other kernels, which add in 32 bits
_EXACT_WITH = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


def saturates(instruction_sets: Collection[str]) -> bool:
    """Return whether a CPU adds the products of two bytes in 16 bits.

    Args:
        instruction_sets: the CPU's flags, as the kernel names them. Those in `runner.machine.cpu.INSTRUCTION_SETS` are
            enough.
    """
    return _EMULATED_WITH in instruction_sets and not _EXACT_WITH.intersection(instruction_sets)


def may_saturate(weight_bits: int | None, instruction_sets: Collection[str] | None) -> bool | None:
    """Return whether the int8 products of an artifact may saturate on a CPU, or None if that is not known.

    Args:
        weight_bits: the bits of `runner.trial.weights.int8_weight_bits`, or None if they are not known.
        instruction_sets: the CPU's flags, as for `saturates`, or None if they are not known.
    """
    if weight_bits is None or instruction_sets is None:
        return None
    return weight_bits == EIGHT_BITS and saturates(instruction_sets)
