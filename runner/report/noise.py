"""Say how far a sweep can be trusted: its A/A test, and the rounds that the machine disturbed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from runner.results.format import percent, pluralize
from runner.results.records.trial import ALONE_ROLES
from runner.results.tables import Row

_DISAGREE = 0.1  # of a logarithm: a reader who divides two latencies notices this
_SIGNS = {
    "reference_ratio": "a fixed kernel ran slower than usual",
    "throttled_periods": "the box was throttled",
    "steal_fraction": "the hypervisor took time away",
    "switches_per_second": "other processes took the CPU",
    "unsettled_fraction": "threads kept spinning",
    "waiting_fraction": "calls waited for the CPU",
}


def floor_sentence(rows: Sequence[Row]) -> str:
    """Return what the A/A test of a group found. Empty without such a test.

    Args:
        rows: rows of the summary.
    """
    floor = next((row["noise_floor"] for row in rows if row["noise_floor"] is not None), None)
    if floor is None:
        return ""
    return f"Noise floor {percent(floor - 1)}: identical code could be that far apart in this sweep."


def raw_times_sentence(rows: Sequence[Row]) -> str:
    """Return why raw times and speedups disagree. Empty if they agree.

    Args:
        rows: rows of the summary that share a baseline.
    """
    own = next((row["latency_p50_seconds"] for row in rows if row["job"] == row["baseline_job"]), None)
    known = [row for row in rows if own and row["latency_p50_seconds"] and row["latency_ratio"]]
    if all(abs(math.log(row["latency_p50_seconds"] / own / row["latency_ratio"])) <= _DISAGREE for row in known):
        return ""
    return (
        "Latencies are raw times, each measured at its own moment; a speedup compares within a round. Where they "
        "disagree, go by the speedup."
    )


def slots_sentence(rows: Sequence[Row], trials: Sequence[Row]) -> str:
    """Return that rounds of a group were measured at once, and what that cost. Empty if they were not.

    Args:
        rows: rows of the summary.
        trials: rows of results that share a baseline.
    """
    at_once = 1 + max((trial["beside"] or 0 for trial in trials), default=0)
    if at_once == 1:
        return ""
    row = next((row for row in rows if row["beside_ratio"] is not None), None)
    if row is None:
        return f"{at_once} boxes at once: what that costs is not known, because no pair was measured alone."
    ratio, low, high = (row[f"beside_ratio{end}"] for end in ("", "_low", "_high"))
    how = "slower" if ratio >= 1 else "faster"
    between = f" ({_signed(low)} to {_signed(high)})" if low is not None else ""
    floors = [row["noise_floor_alone"], row["noise_floor"]]
    alone, beside = (percent(floor - 1) if floor is not None else "not known" for floor in floors)
    return (
        f"{at_once} boxes at once: noise floor {alone} alone, {beside} beside others; the baseline's calls are "
        f"{percent(abs(ratio - 1))} {how} beside others than alone{between}."
    )


def _signed(ratio: float) -> str:
    return f"{'+' if ratio >= 1 else '−'}{percent(abs(ratio - 1))}"


def turns_sentence(trials: Sequence[Row]) -> str:
    """Return a sentence if no trial of a group took turns with the baseline's box. Empty if one did.

    Args:
        trials: rows of results that share a baseline.
    """
    ok = [trial for trial in trials if trial["status"] == "ok"]
    if not ok or any(trial["partner_ratio"] is not None for trial in ok):
        return ""
    reasons = [trial["no_turns"] for trial in ok if trial["no_turns"]]
    why = reasons[0] if reasons else "the baseline's box did not run beside them"
    return f"No turns ({why}): latencies of whole trials are compared, minutes apart, so intervals are wider."


def rounds_sentence(trials: Sequence[Row]) -> str:
    """Return how many rounds are included, how many are not, and why. Empty if that is not known.

    Args:
        trials: rows of results that share a baseline.
    """
    by_round: dict[int, list[Row]] = {}
    for trial in trials:
        if trial["included"] is not None and trial["role"] not in ALONE_ROLES:
            by_round.setdefault(trial["round"], []).append(trial)
    if not by_round:
        return ""
    left_out = [rows for rows in by_round.values() if not rows[0]["included"]]
    kept = [rows for rows in by_round.values() if rows[0]["included"]]
    disturbed = [rows for rows in kept if any(row["disturbed_by"] for row in rows)]
    if not left_out:
        said = f"{pluralize(len(kept), 'round')}, all included."
    else:
        was = "was" if len(left_out) == 1 else "were"
        said = f"{len(kept)} of {pluralize(len(by_round), 'round')} included; {len(left_out)} {was} left out and rerun "
        said += f"because the machine was disturbed: {_reasons(left_out)}."
    if disturbed:
        said += f" Too few rounds were undisturbed, so {len(disturbed)} of those included "
        said += f"{'was' if len(disturbed) == 1 else 'were'} disturbed, too: {_reasons(disturbed)}."
    return said


def _reasons(rounds: Iterable[Sequence[Row]]) -> str:
    """Return the worst sign of disturbance of each round, the most frequent first."""
    worst = (max(rows, key=lambda row: (bool(row["disturbed_by"]), row["disturbance"] or 0.0)) for rows in rounds)
    signs = Counter(row["disturbed_by"] for row in worst if row["disturbed_by"])
    return ", ".join(f"{_SIGNS.get(sign, sign)} ({number}×)" for sign, number in signs.most_common()) or "no sign left"
