"""What became of each measure of one job; judged later, across all jobs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

from runner.diff.accuracy import accuracy_change, predictions_change
from runner.diff.change import (
    DISK,
    FIRST_CALL,
    LATENCY,
    LOAD,
    MEMORY,
    MEMORY_FLOOR,
    RATIO,
    SETTINGS,
    STATUS,
    TIME_FLOOR,
    Change,
    Measure,
)
from runner.diff.join import Pair, Side
from runner.results.statistics import compare

ONE_ROUND = "not judged: that takes two rounds"
OTHER_CPU = "not judged: another CPU"
BY_RATIO = "judged against the baseline"


def changes(pair: Pair, same_cpu: bool, drift: float) -> list[Change]:
    """Return every measure that both sides have, in the order in which they are told.

    Args:
        pair: a job in both sweeps.
        same_cpu: whether times can be compared at all.
        drift: by how much, as a ratio, the machine itself was slower in B; see `machine_drift`.
    """
    ratio = _latency_ratio(pair)
    raw_counts = ratio is None or bool(pair.settings)  # else the machine's speed would be judged with it
    floor = TIME_FLOOR * max(drift, 1 / drift)
    times = "" if same_cpu else OTHER_CPU
    found = [
        _settings(pair),
        _status(pair),
        ratio,
        _over_trials(LATENCY, pair, "latency_p50_seconds", floor, times or ("" if raw_counts else BY_RATIO)),
        _over_trials(MEMORY, pair, "rss_peak_bytes", MEMORY_FLOOR),
        _disk(pair),
        _over_trials(LOAD, pair, "load_seconds", floor, times),
        _over_trials(FIRST_CALL, pair, "first_call_seconds", floor, times),
        accuracy_change(pair),
        predictions_change(pair, same_cpu),
    ]
    return [change for change in found if change is not None]


def machine_drift(pairs: Sequence[Pair]) -> float:
    """Return by how much the machine itself was slower in B, as a ratio; 1 if unknown.

    The median time of the reference kernel, which is the same work around the timed calls of every trial.
    """
    a = [trial["reference_seconds"] for pair in pairs for trial in pair.a.trials if trial["reference_seconds"]]
    b = [trial["reference_seconds"] for pair in pairs for trial in pair.b.trials if trial["reference_seconds"]]
    return median(b) / median(a) if a and b else 1.0


def _settings(pair: Pair) -> Change | None:
    if not pair.settings:
        return None
    return Change(SETTINGS, difference=len(pair.settings), certain=True, note=", ".join(pair.settings))


def _status(pair: Pair) -> Change | None:
    """A job that no longer runs, or runs again. Some failed trials among good ones are the report's to tell."""
    ran = [side.row["trials_ok"] > 0 for side in (pair.a, pair.b)]
    if ran[0] == ran[1]:
        return None
    note = " → ".join("ok" if ok else side.row["status"] for ok, side in zip(ran, (pair.a, pair.b), strict=True))
    return Change(STATUS, difference=ran[1] - ran[0], certain=True, note=note)


def _latency_ratio(pair: Pair) -> Change | None:
    """Against each side's own baseline, round by round; a baseline has none.

    Each side's ratio may be off by its own noise floor, so their quotient may be by both.
    """
    if pair.a.is_baseline or pair.b.is_baseline:
        return None
    logs_a, logs_b = (_logs(side, "latency_ratio") for side in (pair.a, pair.b))
    floors = [side.row["noise_floor"] for side in (pair.a, pair.b) if side.row["noise_floor"] is not None]
    found = _compared(RATIO, logs_a, logs_b, math.prod(floors))
    if found is None or floors:
        return found
    return _compared(RATIO, logs_a, logs_b, None, ONE_ROUND)


def _over_trials(measure: Measure, pair: Pair, column: str, floor: float, unjudged: str = "") -> Change | None:
    return _compared(measure, _logs(pair.a, column), _logs(pair.b, column), floor, unjudged)


def _compared(
    measure: Measure, logs_a: Sequence[float], logs_b: Sequence[float], floor: float | None, unjudged: str = ""
) -> Change | None:
    """Compare two lists of logs, one value a trial (Welch); the figures shown are their geometric means."""
    found = compare(logs_b, logs_a)
    if found is None:
        return None
    return Change(
        measure,
        a=math.exp(fmean(logs_a)),
        b=math.exp(fmean(logs_b)),
        n_a=len(logs_a),
        n_b=len(logs_b),
        ratio=found.ratio,
        low=found.low,
        high=found.high,
        p_value=found.p_value,
        floor=floor,
        unjudged=unjudged or (ONE_ROUND if found.p_value is None else ""),
    )


def _disk(pair: Pair) -> Change | None:
    a, b = pair.a.row["disk_bytes"], pair.b.row["disk_bytes"]
    if not a or not b:
        return None
    return Change(DISK, a=a, b=b, n_a=1, n_b=1, ratio=b / a, certain=True)


def _logs(side: Side, column: str) -> list[float]:
    return [math.log(trial[column]) for trial in side.trials if trial[column]]
