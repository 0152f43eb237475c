"""transformers is imported without its parts for clusters and compiling, and torch stays whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

_EAGER = """
import sys
import runner.engines.torch
from transformers.models.bert.modeling_bert import BertForSequenceClassification
print(sorted({"scipy", "sympy", "torch._dynamo", "torch.distributed.tensor", "torch._inductor"} & set(sys.modules)))
"""
_AFTERWARDS = """
import runner.engines.torch
import scipy.optimize
import torch
import torch._dynamo
assert torch.distributed.is_available()
assert torch._dynamo.__file__
double = torch.compile(lambda x: 2 * x, backend="eager")
print(double(torch.ones(2)).tolist(), torch._dynamo.utils.counters["stats"]["calls_captured"])
"""
_COMPILED = """
import runner.engines.torch_compile
import transformers
import torch
print(transformers.masking_utils.TransformGetItemToIndex.__module__, torch._dynamo.__file__ is not None)
"""


def _run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (_EAGER, "[]"),
        (_AFTERWARDS, "[2.0, 2.0] 1"),
        (_COMPILED, "torch._dynamo._trace_wrapped_higher_order_op True"),
    ],
    ids=["an eager model needs neither", "torch is whole afterwards", "an engine that compiles has its compiler"],
)
def test_what_is_imported(program: str, printed: str) -> None:
    assert _run(program) == printed
