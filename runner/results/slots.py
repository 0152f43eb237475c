"""What it costs to measure several rounds at once: the baseline's pairs alone against those beside other slots."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from runner.results.records.trial import ALONE_ROLES
from runner.results.rounds import a_a_log_ratios, included_rounds
from runner.results.statistics import estimate_ratio, noise_floor

Row = Mapping[str, Any]

_FEWEST = 2  # pairs alone that a floor takes; if fewer were undisturbed, the least disturbed fill up


def cost_of_slots(trials: Sequence[Row]) -> dict[str, float | None]:
    """Return the columns noise_floor_alone, beside_ratio, …_low and …_high; none without slots.

    A round is held against the pair alone of the same number: both were measured in the same slot. Student's t over
    the rounds' log ratios.

    Args:
        trials: of one baseline, evaluated.
    """
    alone = _calm([trial for trial in trials if trial["status"] == "ok" and trial["role"] in ALONE_ROLES])
    if not alone:
        return {}
    beside = [trial for trial in trials if trial["status"] == "ok" and trial["included"] and trial["beside"]]
    logs = [_log_latencies(side) for side in (beside, alone)]
    cost = estimate_ratio([logs[0][number] - logs[1][number] for number in sorted(logs[0].keys() & logs[1].keys())])
    return {
        "noise_floor_alone": noise_floor(a_a_log_ratios(alone)),
        "beside_ratio": cost.ratio if cost else None,
        "beside_ratio_low": cost.low if cost else None,
        "beside_ratio_high": cost.high if cost else None,
    }


def _calm(alone: Sequence[Row]) -> list[Row]:
    scores: dict[int, float] = defaultdict(float)
    for trial in alone:
        scores[trial["round"]] = max(scores[trial["round"]], trial["disturbance"] or 0.0)
    kept = included_rounds(scores, _FEWEST)
    return [trial for trial in alone if trial["round"] in kept]


def _log_latencies(trials: Iterable[Row]) -> dict[int, float]:
    """Return, by round, the log of the geometric mean of the two trials' median latencies, where both are there."""
    logs: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        logs[trial["round"]].append(math.log(trial["latency_p50_seconds"]))
    return {number: fmean(pair) for number, pair in logs.items() if len(pair) == 2}
