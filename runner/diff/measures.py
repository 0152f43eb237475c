"""Compare each measure of one job in A and in B. The changes are evaluated later, across all jobs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from runner.diff.change import (
    CAPACITY,
    CAPACITY_RATIO,
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
from runner.diff.score import predictions_change, score_change
from runner.results.statistics import compare

ONE_ROUND = "not evaluated: at least two rounds are needed"
OTHER_CPU = "not evaluated: another CPU"
BY_RATIO = "evaluated against the baseline"
MACHINE = "not evaluated: this is the baseline with the same software, so it shows the machine's shift"


@dataclass(frozen=True)
class _Shift:
    """The shift of the machine itself from A to B: the logs of a clock in each of them, by round."""

    a: Mapping[int, float]
    b: Mapping[int, float]


def changes(pair: Pair, baseline: Pair | None, same_cpu: bool) -> list[Change]:
    """Return the change of every measure that both sides have, in the order in which they are shown.

    Args:
        pair: a job in both sweeps.
        baseline: its baseline in both, which shows how the machine shifted; None if its software is not the same.
        same_cpu: whether times can be compared at all.
    """
    ratio = _against_baseline(RATIO, pair, "latency_ratio", "noise_floor")
    capacity = _against_baseline(CAPACITY_RATIO, pair, "capacity_ratio", "capacity_noise_floor")
    raw_counts = ratio is None or bool(pair.settings)  # otherwise the machine's speed would be evaluated with it
    times = "" if same_cpu else OTHER_CPU
    latency = times or ("" if raw_counts else BY_RATIO)
    raw_capacity = times or ("" if capacity is None or pair.settings else BY_RATIO)
    candidates = [
        _settings(pair),
        _status(pair),
        ratio,
        _over_trials(LATENCY, pair, baseline, "latency_p50_seconds", TIME_FLOOR, latency),
        capacity,
        _lost_capacity(pair) or _over_trials(CAPACITY, pair, baseline, "capacity_per_second", TIME_FLOOR, raw_capacity),
        _over_trials(MEMORY, pair, baseline, "rss_anon_peak_bytes", MEMORY_FLOOR),
        _disk(pair),
        _over_trials(LOAD, pair, baseline, "load_seconds", TIME_FLOOR, times),
        _over_trials(FIRST_CALL, pair, baseline, "first_call_seconds", TIME_FLOOR, times),
        score_change(pair),
        predictions_change(pair, same_cpu),
    ]
    return [change for change in candidates if change is not None]


def _settings(pair: Pair) -> Change | None:
    if not pair.settings:
        return None
    return Change(SETTINGS, difference=len(pair.settings), certain=True, note=", ".join(pair.settings))


def _status(pair: Pair) -> Change | None:
    """Return the change of a job that no longer runs, or runs again. Single failed trials are left to the report."""
    ran = [side.row["trials_ok"] > 0 for side in (pair.a, pair.b)]
    if ran[0] == ran[1]:
        return None
    note = " → ".join("ok" if ok else side.row["status"] for ok, side in zip(ran, (pair.a, pair.b), strict=True))
    return Change(STATUS, difference=ran[1] - ran[0], certain=True, note=note)


def _against_baseline(measure: Measure, pair: Pair, column: str, floor: str) -> Change | None:
    """Compare ratios to each side's own baseline, round by round; a baseline itself has no such ratio.

    The ratio of each side may be wrong by its own noise floor, so their quotient may be wrong by both.
    """
    if pair.is_baseline:
        return None
    logs_a, logs_b = (_logs(side, column) for side in (pair.a, pair.b))
    floors = [side.row[floor] for side in (pair.a, pair.b) if side.row[floor] is not None]
    change = _compared(measure, logs_a, logs_b, math.prod(floors))
    if change is None or floors:
        return change
    return _compared(measure, logs_a, logs_b, None, ONE_ROUND)


def _lost_capacity(pair: Pair) -> Change | None:
    """Return the change of a job that holds no rate on one of the sides."""
    a, b = (side.row["capacity_per_second"] for side in (pair.a, pair.b))
    if a is None or b is None or bool(a) == bool(b):
        return None
    reason = (pair.a if b else pair.b).row["capacity_reason"] or ""
    return Change(CAPACITY, a=a, b=b, difference=b - a, certain=True, note=reason)


def _over_trials(
    measure: Measure, pair: Pair, baseline: Pair | None, column: str, floor: float, not_evaluated: str = ""
) -> Change | None:
    """Compare a column that is measured without a partner.

    A real change differs from no change at all, and also from the machine's own shift, in the same direction: a job may
    share all of this shift, a part of it or none. (This is an intersection-union test, in which the higher p-value
    decides: R. L. Berger, Technometrics 24, 1982.) The floor grows by half the 95% interval of the shift. A baseline
    with the same software shows the machine's shift itself.
    """
    change = _compared(measure, _logs(pair.a, column), _logs(pair.b, column), floor, not_evaluated)
    if change is None or change.p_value is None:
        return change
    if baseline is pair:
        return replace(change, not_evaluated=not_evaluated or MACHINE)
    shift = _machine_shift(measure, pair, baseline, column)
    if shift is None:
        return change
    against = compare(_relative(pair.b, column, shift.b), _relative(pair.a, column, shift.a))
    if against is None or against.p_value is None:
        return change
    unsure = compare([*shift.b.values()], [*shift.a.values()])
    change = replace(
        change,
        machine=change.ratio / against.ratio if change.ratio else None,
        floor=floor * (1 + (unsure.half_width or 0.0 if unsure is not None else 0.0)),
    )
    return replace(change, p_value=max(change.p_value or 0.0, against.p_value) if change.beyond_machine else 1.0)


def _machine_shift(measure: Measure, pair: Pair, baseline: Pair | None, column: str) -> _Shift | None:
    """Return the shift of the baseline or, for times, that of the reference kernel, which is always the same work."""
    if baseline is not None:
        shift = _Shift(_by_round(baseline.a, column), _by_round(baseline.b, column))
    elif measure not in (MEMORY, CAPACITY):
        shift = _Shift(_by_round(pair.a, "reference_seconds"), _by_round(pair.b, "reference_seconds"))
    else:
        return None
    return shift if shift.a and shift.b else None


def _by_round(side: Side, column: str) -> dict[int, float]:
    """Return the mean log of a column in each round."""
    logs: dict[int, list[float]] = defaultdict(list)
    for trial in side.trials:
        if trial[column]:
            logs[trial["round"]].append(math.log(trial[column]))
    return {number: fmean(values) for number, values in logs.items()}


def _relative(side: Side, column: str, clock: Mapping[int, float]) -> list[float]:
    """Return the log of a column in each round minus that of the clock."""
    return [log - clock[number] for number, log in _by_round(side, column).items() if number in clock]


def _compared(
    measure: Measure, logs_a: Sequence[float], logs_b: Sequence[float], floor: float | None, not_evaluated: str = ""
) -> Change | None:
    """Compare two lists of logs with one value per trial (Welch); the figures shown are their geometric means."""
    estimate = compare(logs_b, logs_a)
    if estimate is None:
        return None
    return Change(
        measure,
        a=math.exp(fmean(logs_a)),
        b=math.exp(fmean(logs_b)),
        n_a=len(logs_a),
        n_b=len(logs_b),
        ratio=estimate.ratio,
        low=estimate.low,
        high=estimate.high,
        p_value=estimate.p_value,
        floor=floor,
        not_evaluated=not_evaluated or (ONE_ROUND if estimate.p_value is None else ""),
    )


def _disk(pair: Pair) -> Change | None:
    a, b = pair.a.row["disk_bytes"], pair.b.row["disk_bytes"]
    if not a or not b:
        return None
    return Change(DISK, a=a, b=b, n_a=1, n_b=1, ratio=b / a, certain=True)


def _logs(side: Side, column: str) -> list[float]:
    return [math.log(trial[column]) for trial in side.trials if trial[column]]
