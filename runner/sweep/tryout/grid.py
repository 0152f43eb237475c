"""Choose the techniques, the threads and the number of texts that a time budget allows for a model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.config.schema import WorkloadConfig
from runner.machine.cpu import instruction_sets, read_text
from runner.machine.int8 import saturates
from runner.machine.topology import physical_cores
from runner.sweep.tryout.model import OwnModel

BASELINE = "torch-eager"
GRAPH = "onnx-as-is"  # the baseline of a model that exists only as ONNX
GRAPH_TECHNIQUES = (GRAPH, f"{GRAPH}-int8", f"{GRAPH}-int8-7bit")  # for a model that exists only as ONNX
CHARACTERS_PER_TOKEN = 4  # in English; most other languages have fewer
_MAX_LENGTHS = (WorkloadConfig.max_length, 256, 512)
_FLOPS_PER_SECOND = 4e10  # the rough rate of one core in float32
_LEAST_CALL_SECONDS = 1e-4  # the time of a call of the smallest model
_LARGE = 100e6  # the number of parameters that doubles the time of a step and of a start
_FIXED_SECONDS = 25.0  # the time to check, to import the model, to collect and to report
_CALLS = 32  # the number of distinct inputs of a trial, which times at least one pass over them
_TIMED_SECONDS = 2.5  # the least time for the timed calls and the warm-up of a trial
_EVALUATING_SHARE = 0.2  # the largest share of the budget for evaluating texts
_LEAST_TEXTS = 100
_LOOKS, _LOOK_SECONDS = 5, 0.1
_LEAST_TECHNIQUES = 3  # the baseline, the same graph in another runtime, and int8


@dataclass(frozen=True)
class _Cost:
    """The time that a technique takes for a small model.

    Attributes:
        prepare: the seconds to make its artifact.
        start: the seconds of a trial before its first call.
        speed: roughly how many times as fast as the baseline it is.
    """

    prepare: float
    start: float
    speed: float


_COSTS = {  # the techniques to try, the most informative first
    BASELINE: _Cost(10, 8, 1),
    "onnx": _Cost(20, 1.5, 1.7),
    "onnx-int8": _Cost(6, 1.5, 3),
    "onnx-int8-7bit": _Cost(6, 1.5, 3),
    "openvino-int8": _Cost(35, 3, 3.5),
    "openvino": _Cost(15, 3, 1.8),
    "torch-int8": _Cost(15, 5, 3),
    "torchscript": _Cost(12, 5, 1.2),
    "heads-25-importance": _Cost(20, 8, 1.1),
    "onnx-static-int8": _Cost(25, 1.5, 2.8),
    GRAPH: _Cost(8, 1.5, 1.7),
    f"{GRAPH}-int8": _Cost(6, 1.5, 3),
    f"{GRAPH}-int8-7bit": _Cost(6, 1.5, 3),
}


@dataclass(frozen=True)
class Choice:
    """What to run.

    Attributes:
        techniques: the names of the techniques, the baseline first.
        threads: one or more numbers of threads.
        measure: a name in conf/measure.
        max_test_texts: the largest number of texts to evaluate, or None for all.
        seconds: the expected time in seconds.
        busyness: how many times as long it takes because of other programs on this machine.
    """

    techniques: list[str]
    threads: list[int]
    measure: str = "quick"
    max_test_texts: int | None = None
    seconds: float = 0.0
    busyness: float = 1.0


def candidates(graph: bool = False) -> list[str]:
    """Return the techniques that are worth a try on this CPU, the baseline first, then the most informative ones.

    Args:
        graph: whether the model exists only as ONNX.
    """
    wrong_here = ("onnx-int8", "openvino-int8", "onnx-static-int8", f"{GRAPH}-int8")  # they saturate, or are slow
    unneeded = (
        wrong_here if saturates(instruction_sets() or ()) else ("onnx-int8-7bit", "openvino", f"{GRAPH}-int8-7bit")
    )
    return [name for name in _COSTS if name not in unneeded and (name in GRAPH_TECHNIQUES) == graph]


def choose(
    model: OwnModel,
    characters: float,
    test_texts: float,
    techniques: Sequence[str],
    threads: Sequence[int],
    budget_seconds: float,
    leave_out: bool = True,
) -> Choice:
    """Return what fits into a budget. It always includes the first three techniques.

    Args:
        model: the model.
        characters: the mean length of a text.
        test_texts: the number of texts that can be evaluated.
        techniques: the techniques that fit the model, the most informative first.
        threads: the requested numbers of threads. If there are none, it is 1, and also all cores if there is time.
        budget_seconds: the total wall time.
        leave_out: whether techniques may be left out. Requested techniques may not.
    """
    tokens = max(4, round(characters / CHARACTERS_PER_TOKEN))
    call = max(_LEAST_CALL_SECONDS, model.flops(tokens) / _FLOPS_PER_SECOND)
    cores, busy = len(physical_cores()), busyness()
    size = 1 + model.parameters / _LARGE
    allowed = _EVALUATING_SHARE * budget_seconds * cores / (call * 3)  # slow ones: the model, the baseline …
    limit = max(_LEAST_TEXTS, round(allowed, -2))
    texts = int(limit) if limit < test_texts else None

    def timed(choice: Choice) -> Choice:
        return replace(choice, seconds=busy * _seconds(choice, call, size, cores, min(test_texts, limit)))

    kept = min(_LEAST_TECHNIQUES, len(techniques)) if leave_out else len(techniques)
    best = timed(Choice(list(techniques[:kept]), list(threads) or [1], max_test_texts=texts, busyness=busy))
    for technique in techniques[kept:]:
        more = timed(replace(best, techniques=[*best.techniques, technique]))
        best = more if more.seconds <= budget_seconds else best
    if not threads and cores > 1:
        more = timed(replace(best, threads=[1, cores]))
        best = more if more.seconds <= budget_seconds else best
    more = timed(replace(best, measure="default"))
    return more if more.seconds <= budget_seconds else best


def busyness() -> float:
    """Return how many times as long everything takes because of other programs on this machine. It is at least 1."""
    running = []
    for _ in range(_LOOKS):
        time.sleep(_LOOK_SECONDS)
        text = (read_text(Path("/proc/loadavg")) or "0 0 0 1/1 1").split()[3]  # such as 2/345: running and all threads
        running.append(max(0, int(text.partition("/")[0]) - 1))  # one of them is this process
    return max(1.0, (statistics.fmean(running) + 1) / len(physical_cores()))


def _seconds(choice: Choice, call: float, size: float, cores: int, texts: float) -> float:
    """Return the expected time of a choice in seconds."""
    first, *others = (_costs(name) for name in choice.techniques)
    evaluating = [call * texts / cost.speed for cost in (first, *others)]
    preparing = size * first.prepare + 2 * evaluating[0]  # transformers itself predicts some texts, too
    preparing += (size * sum(cost.prepare for cost in others) + sum(evaluating[1:])) / cores
    rounds = 8 if choice.measure == "default" else 3
    trials = [
        size * cost.start + max(_TIMED_SECONDS, _CALLS * 1.5 * call * (1 + 1 / cost.speed) / threads)
        for cost in (first, first, *others)  # the baseline is first and last in a round
        for threads in choice.threads
    ]
    return _FIXED_SECONDS + preparing + rounds * sum(trials)


def _costs(technique: str) -> _Cost:
    """Return the time that a technique takes. One that is not listed takes as long as the slowest one that is."""
    return _COSTS.get(technique, _Cost(35, 8, 1))


def max_length(characters: float, longest: int | None) -> int:
    """Return the number of tokens to which texts are cut: the usual one, or more if many texts are longer.

    Args:
        characters: the number of characters that most texts do not exceed.
        longest: the largest number of tokens that the model takes, or None if it is not known.
    """
    enough = next((length for length in _MAX_LENGTHS if length * CHARACTERS_PER_TOKEN >= characters), _MAX_LENGTHS[-1])
    return min(enough, longest or enough)
