"""What a recommendation needs of a sweep's tables, small enough to travel inside a report.

Everything that is resampled is a whole number: per round, how far a trial was from its job's middle, in steps of
10⁻⁵; per example, one bit. So Python and a browser add up the same numbers to the same sums, in whatever order.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, median
from typing import Any, Final, TypedDict

from scipy.special import stdtrit

from runner.recommend.examples import Mistakes, mistakes
from runner.results.format import pluralize
from runner.results.labels import group_label
from runner.results.saturation import saturation_sentence
from runner.results.statistics import ALPHA
from runner.results.tables import Row, Tables

STEP: Final = 1e-5  # of a logarithm, or of a ratio to the job's median
_SHARED = ("family", "task", "workload", "isolation")
_OF_TRIALS = ["job", "round", "role", "status", "included", "latency_ratio", "latency_p50_seconds"]
_OF_TRIALS += ["latency_p90_seconds", "rss_peak_bytes"]

Middle = Callable[[Sequence[float]], float]


class Block(TypedDict):
    """The jobs that share a baseline, and so its rounds.

    Attributes:
        rounds: how many count.
        clock: per round, how far the log of the baseline's median latency was from its middle.
        t: 97.5% quantile of Student's t for that many rounds; None for one.
        floor: log of the noise floor, in steps; None if it is not known.
        mistakes: place of the baseline's in the question's; None if they are not known.
    """

    rounds: int
    clock: list[int]
    t: float | None
    floor: int | None
    mistakes: int | None


class Question(TypedDict):
    """The jobs of one family, task, workload and isolation: what one may choose from. Columns run parallel.

    Attributes:
        examples: how many were evaluated; 0 if none.
        texts: of how many texts they are.
        kept: how many of these are resampled, see `runner.recommend.examples`.
        mistakes: base64 of one bit per kept example, 1 where the prediction is wrong; each different one once.
        longest_tokens: of the longest input that the memory peaks cover; None in an older sweep.
        label, threads, block: who it is; the block is a place in `blocks`.
        latency_seconds: latency ratio × the baseline's median; the job's own median where there is no ratio.
        log_latency: its logarithm, in steps.
        paired: whether latency_seconds comes from a ratio, so that its rounds move with the block's clock.
        wrong, flips: how many examples are wrong, and of these right by the baseline; None where not known.
        own_mistakes: place in `mistakes`.
        rounds: per job three lists of steps, one entry per counted round: log latency (mean 0), p90, memory.
        failed: label and problem of the jobs that are not ok.
        saturation: whose int8 products may saturate on the CPU, in a sentence; empty where none may.
    """

    title: str
    isolation: str
    batch_size: int
    baseline: list[int]
    examples: int
    texts: int
    kept: int
    mistakes: list[str]
    longest_tokens: int | None
    blocks: list[Block]
    label: list[str]
    threads: list[int]
    block: list[int]
    latency_seconds: list[float]
    log_latency: list[int]
    paired: list[bool]
    p90_seconds: list[float | None]
    disk_bytes: list[float | None]
    rss_bytes: list[float | None]
    wrong: list[int | None]
    flips: list[int | None]
    own_mistakes: list[int | None]
    rounds: list[list[list[int]]]
    failed: list[tuple[str, str]]
    saturation: str


def evidence(tables: Tables) -> list[Question]:
    """Return what the choice needs, one question after the other in the order of the plan. It is plain JSON."""
    trials: dict[str, list[Row]] = defaultdict(list)
    for trial in tables.results.select(_OF_TRIALS).to_pylist():
        if trial["status"] == "ok" and trial["included"] is not False:  # null: of before rounds were evaluated
            trials[trial["job"]].append(trial)
    asked: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in tables.jobs:
        asked[tuple(row[name] for name in _SHARED)].append(row)
    evaluated = mistakes(tables, {row["job"] for rows in asked.values() for row in rows if row["accuracy"] is not None})
    return [_question(rows, trials, evaluated) for rows in asked.values()]


def _question(rows: Sequence[Row], trials: Mapping[str, Sequence[Row]], evaluated: Mapping[str, Mistakes]) -> Question:
    labels = _labels(rows)
    by_job = {row["job"]: row for row in rows}
    measured = [row for row in rows if row["status"] == "ok" and row["latency_p50_seconds"]]
    known = {row["job"] for row in measured}
    keys = list(dict.fromkeys(row["baseline_job"] for row in measured))
    own = {row["job"]: evaluated[row["job"]] for row in measured if row["job"] in evaluated}
    bits = list(dict.fromkeys(side for one in own.values() for side in (one.own, one.baseline) if side is not None))
    place: dict[str | None, int | None] = {None: None} | {side: i for i, side in enumerate(bits)}
    base = {row["baseline_job"]: place[own[row["job"]].baseline] for row in measured if row["job"] in own}
    rounds = {key: _rounds_of([row for row in measured if row["baseline_job"] == key], trials) for key in keys}
    latencies = [_latency(row, by_job.get(row["baseline_job"])) for row in measured]
    first = rows[0]
    return Question(
        title=f"{first['family']} on {first['task']}, workload {first['workload']}",
        isolation=str(first["isolation"]),
        batch_size=next((row["batch_size"] for row in rows if row["batch_size"]), 1),
        baseline=[i for i, row in enumerate(measured) if row["job"] == row["baseline_job"]],
        examples=next((one.examples for one in own.values()), 0),
        texts=next((one.texts for one in own.values()), 0),
        kept=next((one.kept for one in own.values()), 0),
        mistakes=bits,
        longest_tokens=_longest(measured),
        blocks=[_block(measured, key, rounds[key], trials[key], base.get(key)) for key in keys],
        label=[labels[row["job"]] for row in measured],
        threads=[row["threads"] for row in measured],
        block=[keys.index(row["baseline_job"]) for row in measured],
        latency_seconds=[seconds for seconds, _ in latencies],
        log_latency=[_steps(math.log(seconds)) for seconds, _ in latencies],
        paired=[paired for _, paired in latencies],
        p90_seconds=[row["latency_p90_seconds"] for row in measured],
        disk_bytes=[row["disk_bytes"] for row in measured],
        rss_bytes=[row["rss_peak_bytes"] for row in measured],
        wrong=[_count(1 - row["accuracy"], row) if row["accuracy"] is not None else None for row in measured],
        flips=[_flips(row) for row in measured],
        own_mistakes=[place[own[row["job"]].own] if row["job"] in own else None for row in measured],
        rounds=[
            _rounds(row, trials[row["job"]], rounds[row["baseline_job"]], paired)
            for row, (_, paired) in zip(measured, latencies, strict=True)
        ],
        failed=[(labels[row["job"]], _problem(row)) for row in rows if row["job"] not in known],
        saturation=saturation_sentence((group_label(row), row) for row in measured),
    )


def _longest(rows: Sequence[Row]) -> int | None:
    """Return the length that the memory peaks of all jobs cover, in tokens; None where one does not tell it."""
    lengths = [row["rss_peak_tokens"] for row in rows]
    return None if not lengths or None in lengths else int(min(lengths))


def _rounds_of(rows: Sequence[Row], trials: Mapping[str, Sequence[Row]]) -> list[int]:
    return sorted({trial["round"] for row in rows for trial in trials[row["job"]]})


def _labels(rows: Sequence[Row]) -> dict[str, str]:
    """Name the jobs of a question by what tells them apart: the threads where they differ, the key at last."""
    several = len({row["threads"] for row in rows}) > 1
    names = {
        row["job"]: group_label(row) + (f" · {pluralize(row['threads'], 'thread')}" if several else "") for row in rows
    }
    alike = Counter(names.values())
    return {job: name if alike[name] == 1 else f"{name} ({job})" for job, name in names.items()}


def _problem(row: Row) -> str:
    return "unfinished" if row["status"] in ("ok", "missing") else str(row["status"])


def _latency(row: Row, baseline: Row | None) -> tuple[float, bool]:
    """Return the latency by its ratio to the baseline, which scatters less than raw times; else the raw one."""
    if row["latency_ratio"] and baseline is not None and baseline["latency_p50_seconds"]:
        return row["latency_ratio"] * baseline["latency_p50_seconds"], True
    return row["latency_p50_seconds"], False


def _count(fraction: float, row: Row) -> int:
    return round(fraction * int(row["examples"]))


def _flips(row: Row) -> int | None:
    if row["job"] == row["baseline_job"] and row["accuracy"] is not None:
        return 0  # no row compares a baseline with itself
    return None if row["negative_flips_fraction"] is None else _count(row["negative_flips_fraction"], row)


def _block(measured: Sequence[Row], key: str, rounds: Sequence[int], trials: Sequence[Row], wrong: int | None) -> Block:
    n = len(rounds)
    floor = next((row["noise_floor"] for row in measured if row["baseline_job"] == key and row["noise_floor"]), None)
    return Block(
        rounds=n,
        clock=_deviations(_by_round(trials, rounds, _log_p50), median, _widening(n)),
        t=float(stdtrit(n - 1, 1 - ALPHA / 2)) if n > 1 else None,
        floor=None if floor is None else _steps(math.log(floor)),
        mistakes=wrong,
    )


def _rounds(row: Row, trials: Sequence[Row], rounds: Sequence[int], paired: bool) -> list[list[int]]:
    """Return how far each round was from the job's middle: log latency, p90 and memory."""
    logs = _by_round(trials, rounds, _log_ratio)
    if not paired or not any(log is not None for log in logs):  # an older sweep has ratios in its summary only
        logs = _by_round(trials, rounds, _log_p50)
    ratios = [
        _by_round(trials, rounds, lambda trial, name=name: _relative(trial[name], row[name]))  # type: ignore[misc]
        for name in ("latency_p90_seconds", "rss_peak_bytes")
    ]
    return [_deviations(logs, fmean, _widening(len(rounds))), *(_deviations(ratio, lambda _: 1.0) for ratio in ratios)]


def _log_p50(trial: Row) -> float | None:
    return math.log(trial["latency_p50_seconds"]) if trial["latency_p50_seconds"] else None


def _log_ratio(trial: Row) -> float | None:
    return math.log(trial["latency_ratio"]) if trial["latency_ratio"] else None


def _relative(value: float | None, middle: float | None) -> float | None:
    return value / middle if value is not None and middle else None


def _by_round(trials: Sequence[Row], rounds: Sequence[int], value: Callable[[Row], float | None]) -> list[float | None]:
    """Return one value per round: the mean of the baseline's two trials, None where nothing is known."""
    known: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        if (one := value(trial)) is not None:
            known[trial["round"]].append(one)
    return [fmean(known[number]) if known[number] else None for number in rounds]


def _deviations(values: Sequence[float | None], middle: Middle, widening: float = 1.0) -> list[int]:
    """Return each value less their middle, in steps; 0 for a value that is not known."""
    known = [value for value in values if value is not None]
    centre = middle(known) if known else 0.0
    return [0 if value is None else _steps((value - centre) * widening) for value in values]


def _widening(rounds: int) -> float:
    """Return √(n ÷ (n − 1)): a bootstrap of n values scatters by that much too little.

    The narrowness bias (T. C. Hesterberg, "What teachers should know about the bootstrap", Am. Stat. 69, 2015).
    """
    return math.sqrt(rounds / (rounds - 1)) if rounds > 1 else 1.0


def _steps(value: float) -> int:
    return round(value / STEP)
