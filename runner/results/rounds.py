"""Which rounds are included, and whether another round is needed: pure functions of the rows of trials.

A block is the trials that share a baseline. In a round, the latency of each trial is divided by the partner's, and the
result by that of the round's two baselines: the partner is the clock, and the baselines are the reference. Whether a
round is included depends on signs around the timed calls, never on latencies, because a choice of rounds by their
results would bias the result.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

from runner.results.records.plan import block_name
from runner.results.records.trial import ALONE_ROLES
from runner.results.statistics import TAILS, estimate_ratio, log_ratio
from runner.results.tables import Row

#: The columns of results that are needed to evaluate rounds.
EVALUATED_BY = [
    *("job", "baseline_job", "cpu", "threads", "quota_cpus", "round", "role", "status"),
    *("partner_ratio", "latency_p50_seconds", "partner_engine_ratio", "engine_p50_seconds", "capacity_per_second"),
    *(name.format(tail) for tail in TAILS for name in ("partner_p{}_ratio", "latency_p{}_seconds")),
    *("elapsed_seconds", "partner_seconds", "cpu_seconds", "waiting_seconds", "reference_seconds"),
    *("steal_seconds", "throttled_periods", "involuntary_switches", "turns", "unsettled_turns", "no_turns"),
]


def block_of(row: Row) -> str:
    """Return the name of the trial's block: its baseline's key or, without one, that of its own job."""
    return block_name(row["job"], row["baseline_job"])


def disturbance(row: Row, limits: Mapping[str, float], usual_reference_seconds: float) -> tuple[float, str] | None:
    """Return the worst sign of a disturbed machine as a multiple of its limit, and its name; None if none is known.

    A sign that the kernel does not report is left out. Throttling and waiting do not count where the job's own quota
    causes them.

    Args:
        row: a trial that is ok.
        limits: the limits, by the names in `runner.config.schema.DisturbanceLimits`.
        usual_reference_seconds: the median time of the reference kernel in the sweep.
    """
    elapsed = row["elapsed_seconds"] or 0.0
    both = elapsed + (row["partner_seconds"] or 0.0)
    has_tight_quota = row["quota_cpus"] is not None and row["quota_cpus"] < row["threads"]
    by_others = _share_of_others(row, elapsed * row["threads"])
    signs = {
        "reference_ratio": _divided(row["reference_seconds"], usual_reference_seconds),
        "throttled_periods": row["throttled_periods"] if not has_tight_quota else None,
        "steal_fraction": _divided(row["steal_seconds"], both * row["threads"]),
        "unsettled_fraction": _divided(row["unsettled_turns"], row["turns"]),
        "switches_per_second": _divided(row["involuntary_switches"], elapsed, by_others),
        "waiting_fraction": _divided(row["waiting_seconds"], elapsed * row["threads"], by_others)
        if not has_tight_quota
        else None,
    }
    return max(
        ((_multiple(value, limits[name]), name) for name, value in signs.items() if value is not None), default=None
    )


def _share_of_others(row: Row, available_seconds: float) -> float:
    """Return the share of the box's waiting for a CPU that other processes may have caused.

    Some engines have more threads than cores (llama.cpp's server), and these wait for each other. Others can have taken
    no more than the CPU time that the box did not use.

    Args:
        row: a trial that is ok.
        available_seconds: the CPU time that the box could have used during its timed calls.
    """
    waiting_seconds: float | None = row["waiting_seconds"]
    cpu_seconds: float | None = row["cpu_seconds"]
    if not waiting_seconds or cpu_seconds is None:
        return 1.0
    return min(1.0, max(0.0, available_seconds - cpu_seconds) / waiting_seconds)


def _divided(value: float | None, by: float | None, times: float = 1.0) -> float | None:
    return times * value / by if value is not None and by else None


def _multiple(value: float, limit: float) -> float:
    if limit > 0:
        return value / limit
    return math.inf if value > 0 else 0.0


def evaluate(rows: Sequence[Row], limits: Mapping[str, float], wanted: int) -> list[dict[str, Any]]:
    """Return the ratios of every row, and the columns disturbance, disturbed_by and included.

    All undisturbed rounds of a block are included. If there are fewer than wanted, the least disturbed others are
    added. The pairs that a sweep with slots measures alone belong to no round: they only show what slots cost
    (runner/results/slots.py).

    Args:
        rows: the trials of one sweep.
        limits: see `disturbance`.
        wanted: how many rounds the sweep asked for.
    """
    usual = _usual_reference_seconds(rows)
    worst = [disturbance(row, limits, usual.get(row["cpu"], 1.0)) if row["status"] == "ok" else None for row in rows]
    scores: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for row, sign in zip(rows, worst, strict=True):
        if row["role"] in ALONE_ROLES:
            continue
        rounds = scores[block_of(row)]
        rounds[row["round"]] = max(rounds[row["round"]], sign[0] if sign else 0.0)
    included = {block: included_rounds(rounds, wanted) for block, rounds in scores.items()}
    ratios = {"latency_ratio": _ratios(rows, "partner_ratio", "latency_p50_seconds")}
    for tail in TAILS:
        ratios[f"latency_p{tail}_ratio"] = _ratios(rows, f"partner_p{tail}_ratio", f"latency_p{tail}_seconds")
    ratios["capacity_ratio"] = _capacity_ratios(rows)
    ratios["engine_ratio"] = _ratios(rows, "partner_engine_ratio", "engine_p50_seconds")
    return [
        {name: column[number] for name, column in ratios.items()}
        | {
            "disturbance": sign[0] if sign else None,
            "disturbed_by": sign[1] if sign and sign[0] > 1 else None,
            "included": row["role"] not in ALONE_ROLES and row["round"] in included[block_of(row)],
        }
        for number, (row, sign) in enumerate(zip(rows, worst, strict=True))
    ]


def _usual_reference_seconds(rows: Sequence[Row]) -> dict[str | None, float]:
    """Return the median time of the reference kernel on each CPU model."""
    references: dict[str | None, list[float]] = defaultdict(list)
    for row in rows:
        if row["status"] == "ok" and row["reference_seconds"]:
            references[row["cpu"]].append(row["reference_seconds"])
    return {cpu: median(seconds) for cpu, seconds in references.items()}


def _ratios(rows: Sequence[Row], paired: str, raw: str) -> list[float | None]:
    """Return the ratio of each ok trial to the two baselines of its round.

    It is None for a trial whose partner was lost: its latency is from another time than the baselines'.

    Args:
        rows: the trials of one sweep.
        paired: the column with a trial's ratio to the partner with which it took turns.
        raw: the column with the latency itself, by which trials that took no turns are compared.
    """
    of_paired, of_raw = _of_baselines(rows, paired), _of_baselines(rows, raw)
    ratios: list[float | None] = []
    for row in rows:
        log = None
        if _is_in_round(row):
            round_ = block_of(row), row["round"]
            took_no_turns = row["no_turns"] or not of_paired[round_]
            column, known = (raw, of_raw) if took_no_turns and not row[paired] else (paired, of_paired)
            log = log_ratio(row[column], known[round_])
        ratios.append(math.exp(log) if log is not None else None)
    return ratios


def _capacity_ratios(rows: Sequence[Row]) -> list[float | None]:
    """Return the ratio of each ok trial's capacity to that of the two baselines of its round.

    It is None where a capacity is 0. No partner takes part: a service that shares its cores has another capacity.
    """
    known = _of_baselines(rows, "capacity_per_second")
    logs = [
        log_ratio(row["capacity_per_second"], known[block_of(row), row["round"]]) if _is_in_round(row) else None
        for row in rows
    ]
    return [math.exp(log) if log is not None else None for log in logs]


def _of_baselines(rows: Sequence[Row], column: str) -> dict[tuple[str, int], list[float]]:
    """Return the values of a column for the baselines of each round of each block."""
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        if row["status"] == "ok" and row["role"] in ("baseline-first", "baseline-last") and row[column]:
            values[block_of(row), row["round"]].append(row[column])
    return values


def _is_in_round(row: Row) -> bool:
    return bool(row["status"] == "ok" and row["role"] not in ALONE_ROLES)


def clock(row: Row) -> str:
    """Return the column by which a trial is compared with others of its round."""
    return "partner_ratio" if row["partner_ratio"] else "latency_p50_seconds"


def a_a_log_ratios(baselines: Sequence[Row], column_of: Callable[[Row], str] = clock) -> list[float]:
    """Return log(last ÷ first) for each round, where both trials of the baseline are ok and have the same column.

    Args:
        baselines: the ok trials of a baseline.
        column_of: returns the column by which a trial is compared.
    """
    ends: dict[tuple[int, str], dict[str, float]] = defaultdict(dict)
    for row in baselines:
        if row[column_of(row)]:
            ends[row["round"], column_of(row)][row["role"].rpartition("-")[2]] = math.log(row[column_of(row)])
    return [end["last"] - end["first"] for end in ends.values() if len(end) == 2]


def log_ratios(trials: Sequence[Row], is_baseline: bool) -> dict[int, float]:
    """Return the log latency ratio of each round. A baseline has 0, since ratios are taken against it.

    Args:
        trials: the ok trials of a job in the rounds that are included.
        is_baseline: whether the job is the baseline.
    """
    if is_baseline:
        return {trial["round"]: 0.0 for trial in trials}
    return {trial["round"]: math.log(trial["latency_ratio"]) for trial in trials if trial["latency_ratio"]}


def included_rounds(scores: Mapping[int, float], wanted: int) -> set[int]:
    """Return the rounds with a score of at most 1; if fewer than wanted, the lowest up to that number."""
    calm = {number for number, score in scores.items() if score <= 1}
    return calm if len(calm) >= wanted else set(sorted(scores, key=lambda number: (scores[number], number))[:wanted])


def are_disturbed(rows: Sequence[Row]) -> bool:
    """Return whether most of a block's included rounds are disturbed in spite of the reruns.

    Args:
        rows: the block's trials, with the columns of `evaluate`.
    """
    scores: dict[int, float] = defaultdict(float)
    for row in rows:
        if row["included"]:
            scores[row["round"]] = max(scores[row["round"]], row["disturbance"] or 0.0)
    return 2 * sum(score > 1 for score in scores.values()) > len(scores)


def needs_round(rows: Sequence[Row], measure: Mapping[str, Any]) -> bool:
    """Return whether a block needs another round after those that it has.

    It does while too few rounds were undisturbed or, with `half_width`, while an interval is wider than that; `reruns`
    and `max_rounds` are the bounds. (To stop when the interval is narrow enough: Laaber et al., ESEC/FSE 2020.)

    Args:
        rows: the block's trials, with the columns of `evaluate`.
        measure: the settings of `runner.config.schema.MeasureConfig`.
    """
    scores: dict[int, float] = defaultdict(float)
    for row in rows:
        scores[row["round"]] = max(scores[row["round"]], row["disturbance"] or 0.0)
    calm = sum(score <= 1 for score in scores.values())
    if calm < measure["rounds"]:
        return bool(len(scores) < measure["rounds"] + measure["reruns"])
    if measure["half_width"] is None or len(scores) >= measure["max_rounds"]:
        return False
    target: float = measure["half_width"]
    return any(width > target for width in half_widths(rows))


def half_widths(rows: Sequence[Row]) -> list[float]:
    """Return half the width of the interval of each job on each CPU model, as a fraction of the job's ratio."""
    logs: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for row in rows:
        if row["included"] and row["role"] == "variant" and row["latency_ratio"]:
            logs[row["job"], row["cpu"]].append(math.log(row["latency_ratio"]))
    estimates = (estimate_ratio(ratios) for ratios in logs.values())
    return [e.half_width for e in estimates if e is not None and e.half_width is not None]
