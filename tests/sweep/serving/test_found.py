"""What the search for a configuration says after a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runner.recommend.capacity import Capacity, Objective
from runner.recommend.queueing import Calls
from runner.sweep.serving.configuration import Configuration, Variant
from runner.sweep.serving.found import found
from runner.sweep.serving.measured import Measured

FAST, SLOW = Variant("onnx-int8", 1), Variant("torch-eager", 1)
CALLS = Measured(calls={FAST: Calls(np.array([0.002, 0.004])), SLOW: Calls(np.array([0.01]))})


def test_it_names_the_fastest_calls_and_what_drops_out() -> None:
    known = replace(CALLS, failed=frozenset([Variant("broken", 1)]), inaccurate=frozenset(["onnx-4bit"]))
    assert found(Measured(), known) == (
        "The fastest calls: onnx-int8 with 1 thread, 3.00 ms on average. Failed: broken. "
        "Left out, because they seem to lose more than the margin: onnx-4bit."
    )


def test_it_says_what_batches_cost() -> None:
    batched = replace(CALLS, calls={FAST: Calls(np.array([0.003]), growth=0.5)}, batched=frozenset([FAST]))
    assert found(CALLS, batched) == "A call with 8 requests takes 4.5 times as long as a call with one."


def test_it_says_only_the_capacities_that_are_new() -> None:
    first, second = Configuration(FAST, 1, 1, 0.0), Configuration(FAST, 1, 8, 5.0)
    held = Capacity(Objective(99.0, 0.05), 1, 1, 1, 0.0, 250.0, None, None, 1)
    before = replace(CALLS, capacities={first: held})
    after = replace(CALLS, capacities={first: held, second: replace(held, per_second=0.0)})
    assert found(CALLS, before) == "onnx-int8, 1 × 1: holds 250 /s."
    assert found(before, after) == (
        "onnx-int8, 1 × 1, batches of up to 8, waiting 5 ms: does not keep the objective at any rate."
    )
    further = replace(before, capacities={first: replace(held, low=240.0, high=260.0, rounds=3)})
    assert found(before, further) == "onnx-int8, 1 × 1: holds 250 /s (240 to 260)."
    assert found(before, before) == "Nothing new was found."
