"""It is known which CPUs add int8 products in 16 bits."""

from __future__ import annotations

import pytest

from runner.machine.int8 import may_saturate, saturates


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("sse4_1 avx", False),  # their kernels add in 32 bits
        ("avx2 fma", True),
        ("avx2 avx512f", True),
        ("avx2 avx512f avx512_vnni", False),
        ("avx2 avx_vnni", False),
        ("avx2 avx512f amx_int8", False),
        ("asimd asimddp i8mm", False),  # Arm
    ],
)
def test_cpus_without_vnni_saturate(flags: str, expected: bool) -> None:
    assert saturates(flags.split()) is expected


def test_an_artifact_may_saturate_where_its_weights_take_up_eight_bits() -> None:
    assert [may_saturate(bits, ["avx2"]) for bits in (8, 7, 0, None)] == [True, False, False, None]
    assert may_saturate(8, ["avx2", "avx_vnni"]) is False
    assert may_saturate(8, None) is None
