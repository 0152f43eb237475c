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
GRAPH = "onnx-as-is"  # its baseline
GRAPH_TECHNIQUES = (GRAPH, f"{GRAPH}-int8", f"{GRAPH}-int8-7bit")  # for a model that is there only as ONNX
CHARACTERS_PER_TOKEN = 4  # of English, and less than that of most languages
_MAX_LENGTHS = (WorkloadConfig.max_length, 256, 512)
_FLOPS_PER_SECOND = 4e10  # of one core in float32, roughly
_LEAST_CALL_SECONDS = 1e-4  # of the smallest model
_LARGE = 100e6  # parameters that double what a step and a start take
_FIXED_SECONDS = 25.0  # checking, importing the model, collecting, the report
_CALLS = 32  # the distinct inputs of a trial, of which it times at least one pass
_TIMED_SECONDS = 2.5  # timed calls and warm-up of a trial at least
_EVALUATING_SHARE = 0.2  # of the budget, at most, for evaluating texts
_LEAST_TEXTS = 100
_LOOKS, _LOOK_SECONDS = 5, 0.1
_LEAST_TECHNIQUES = 3  # the baseline, the same graph in another runtime, and int8


@dataclass(frozen=True)
class _Cost:
    """What a technique takes for a small model.

    Attributes:
        prepare: the seconds to make its artifact.
        start: the seconds of a trial before its first call.
        speed: how many times as fast as the baseline it is, roughly.
    """

    prepare: float
    start: float
    speed: float


_COSTS = {  # the techniques to try, the most telling first
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
        techniques: the baseline first.
        threads: one or more numbers of threads.
        measure: a name in conf/measure.
        max_test_texts: the most texts to evaluate; None for all.
        seconds: what that should take.
        busyness: how many times as long as on this machine alone that is.
    """

    techniques: list[str]
    threads: list[int]
    measure: str = "quick"
    max_test_texts: int | None = None
    seconds: float = 0.0
    busyness: float = 1.0


def candidates(graph: bool = False) -> list[str]:
    """Return the techniques that are worth a try on this CPU, the baseline first, then the most telling.

    Args:
        graph: whether the model is there only as ONNX.
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
    """Return what fits into a budget; the first three techniques are always there.

    Args:
        model: the model.
        characters: the mean length of a text.
        test_texts: how many texts there are to evaluate.
        techniques: those that fit the model, the most telling first.
        threads: the numbers of threads, if they were asked for; otherwise 1, and all cores if there is time.
        budget_seconds: the wall time in all.
        leave_out: whether techniques may be left out; those that were asked for may not.
    """
    tokens = max(4, round(characters / CHARACTERS_PER_TOKEN))
    call = max(_LEAST_CALL_SECONDS, model.flops(tokens) / _FLOPS_PER_SECOND)
    cores, busy = len(physical_cores()), busyness()
    size = 1 + model.parameters / _LARGE
    allowed = _EVALUATING_SHARE * budget_seconds * cores / (call * 3)  # the slow ones: the model itself, the baseline …
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
    """Return how many times as long everything takes because others compute on this machine just now; at least 1."""
    running = []
    for _ in range(_LOOKS):
        time.sleep(_LOOK_SECONDS)
        text = (read_text(Path("/proc/loadavg")) or "0 0 0 1/1 1").split()[3]  # such as 2/345: running and all threads
        running.append(max(0, int(text.partition("/")[0]) - 1))  # one of them is this process
    return max(1.0, (statistics.fmean(running) + 1) / len(physical_cores()))


def _seconds(choice: Choice, call: float, size: float, cores: int, texts: float) -> float:
    """Return what a choice should take, in seconds."""
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
    """Return what a technique takes; of one that is not listed, as much as the slowest that is."""
    return _COSTS.get(technique, _Cost(35, 8, 1))


def max_length(characters: float, longest: int | None) -> int:
    """Return the number of tokens to which texts are cut: the usual one, or more if many texts are longer.

    Args:
        characters: that most texts do not exceed.
        longest: the most tokens that the model takes; None if that is not known.
    """
    enough = next((length for length in _MAX_LENGTHS if length * CHARACTERS_PER_TOKEN >= characters), _MAX_LENGTHS[-1])
    return min(enough, longest or enough)
