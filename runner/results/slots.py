"""What a sweep with slots pays for measuring several rounds at the same time.

A slot (runner/sweep/slots) is a part of the machine that measures a round by itself. Slots share caches and memory
bandwidth, so each slot also measures pairs of the baseline while all others wait. Those pairs are called "alone".
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

from runner.results.records.plan import Role
from runner.results.records.summary import SlotCost
from runner.results.rounds import a_a_log_ratios, included_rounds
from runner.results.statistics import estimate_ratio, noise_floor
from runner.results.tables import Row

_PAIR = (Role.alone_first.value, Role.alone_last.value)
_MIN_PAIRS = 2  # needed for a noise floor; if fewer were undisturbed, the least disturbed others are added


def cost_of_slots(trials: Sequence[Row]) -> SlotCost:
    """Return what slots cost a baseline; all values are None without slots.

    A round is compared with the pair alone of the same number: both were measured in the same slot. The interval is
    Student's t over the rounds' log ratios.

    Args:
        trials: the evaluated trials of one baseline.
    """
    alone = _undisturbed([trial for trial in trials if trial["status"] == "ok" and trial["role"] in _PAIR])
    if not alone:
        return SlotCost()
    beside = [trial for trial in trials if trial["status"] == "ok" and trial["included"] and trial["beside"]]
    logs_beside, logs_alone = _log_latencies(beside), _log_latencies(alone)
    rounds = sorted(logs_beside.keys() & logs_alone.keys())
    cost = estimate_ratio([logs_beside[number] - logs_alone[number] for number in rounds])
    return SlotCost(
        noise_floor_alone=noise_floor(a_a_log_ratios(alone)),
        beside_ratio=cost.ratio if cost else None,
        beside_ratio_low=cost.low if cost else None,
        beside_ratio_high=cost.high if cost else None,
    )


def _undisturbed(alone: Sequence[Row]) -> list[Row]:
    scores: dict[int, float] = defaultdict(float)
    for trial in alone:
        scores[trial["round"]] = max(scores[trial["round"]], trial["disturbance"] or 0.0)
    kept = included_rounds(scores, _MIN_PAIRS)
    return [trial for trial in alone if trial["round"] in kept]


def _log_latencies(trials: Iterable[Row]) -> dict[int, float]:
    """Return, by round, the log of the geometric mean of the two trials' median latencies, where both are there."""
    logs: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        logs[trial["round"]].append(math.log(trial["latency_p50_seconds"]))
    return {number: fmean(pair) for number, pair in logs.items() if len(pair) == 2}
