"""Read what a recommendation needs to know from the tables of a sweep."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from runner.recommend.capacity import measured_capacity
from runner.recommend.decision import Block, DecisionData, Variant, to_steps
from runner.recommend.margin import Loss, Margin, losses, margin_of
from runner.recommend.mistakes import Mistakes, mistakes
from runner.recommend.names import labels_of, title_of
from runner.results.labels import group_label
from runner.results.saturation import saturation_sentence
from runner.results.score import score_of, score_of_all
from runner.results.statistics import TAILS
from runner.results.tables import Row, Tables

_SHARED = ("family", "task", "workload", "isolation", "quota_cpus", "load")
_OF_TRIALS = ["job", "round", "role", "status", "included", "latency_ratio", "latency_p50_seconds"]
_OF_TRIALS += ["capacity_per_second", "rss_peak_bytes"]
_OF_TRIALS += [f"latency_p{tail}_{kind}" for tail in TAILS for kind in ("seconds", "ratio")]

Middle = Callable[[Sequence[float]], float]


@dataclass(frozen=True)
class _Evaluated:
    """What is known about the quality of the jobs of a sweep, by their keys.

    Attributes:
        mistakes: the mistakes on labelled texts.
        margin: the margin of the tests of the quality; None if nothing was tested.
        tested: the loss at this margin.
        lost: the loss, with a value only if the limit lets the variant count; empty without a limit.
    """

    mistakes: Mapping[str, Mistakes]
    margin: float | None
    tested: Mapping[str, Loss]
    lost: Mapping[str, Loss]


def decision_data(tables: Tables, margin: Margin | None = None) -> list[DecisionData]:
    """Return the data of each choice that a sweep allows, in the order of the plan.

    Args:
        tables: the tables of the sweep.
        margin: the loss of quality that is allowed; None if it does not matter. The quality is tested at this margin,
            or else at that of the sweep.
    """
    trials: dict[str, list[Row]] = defaultdict(list)
    for trial in tables.results.select(_OF_TRIALS).to_pylist():
        if trial["status"] == "ok" and trial["included"]:
            trials[trial["job"]].append(trial)
    choices: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in tables.jobs:
        choices[tuple(row[name] for name in _SHARED)].append(row)
    fraction = margin.fraction if margin else margin_of(tables.jobs)
    evaluated = _Evaluated(
        mistakes=mistakes(tables, {row["job"] for row in tables.jobs if row["accuracy"] is not None}),
        margin=fraction,
        tested=losses(tables.jobs, Margin(fraction)) if fraction is not None else {},
        lost=losses(tables.jobs, margin) if margin else {},
    )
    return [_decision_data(rows, trials, evaluated) for rows in choices.values()]


def _decision_data(rows: Sequence[Row], trials: Mapping[str, Sequence[Row]], evaluated: _Evaluated) -> DecisionData:
    labels = labels_of(rows)
    by_job = {row["job"]: row for row in rows}
    measured = [row for row in rows if row["status"] == "ok" and row["latency_p50_seconds"]]
    known = {row["job"] for row in measured}
    own = {job: evaluated.mistakes[job] for job in (row["job"] for row in measured) if job in evaluated.mistakes}
    sharing: dict[str, list[Row]] = defaultdict(list)
    for row in measured:
        sharing[row["baseline_job"]].append(row)
    variants = []
    for baseline_job, jobs in sharing.items():
        rounds = sorted({trial["round"] for row in jobs for trial in trials[row["job"]]})
        baseline = by_job.get(baseline_job)
        block = _block(jobs, rounds, trials[baseline_job], own, baseline, labels.get(baseline_job, ""))
        variants += [_variant(row, labels[row["job"]], block, baseline, trials, rounds, evaluated) for row in jobs]
    place = {labels[row["job"]]: number for number, row in enumerate(measured)}
    some = next(iter(own.values()), None)
    first = rows[0]
    return DecisionData(
        title=title_of(rows),
        isolation=str(first["isolation"]),
        batch_size=next((row["batch_size"] for row in rows if row["batch_size"]), 1),
        variants=sorted(variants, key=lambda variant: (variant.latency_seconds, place[variant.label])),
        failed=[(labels[row["job"]], _problem(row)) for row in rows if row["job"] not in known],
        texts=some.texts if some else 0,
        examples=some.kept if some else 0,
        longest_tokens=_longest_tokens(measured),
        saturation=saturation_sentence((group_label(row), row) for row in measured),
        score=score_of_all(rows),
        margin=evaluated.margin,
    )


def _variant(
    row: Row,
    label: str,
    block: Block,
    baseline: Row | None,
    trials: Mapping[str, Sequence[Row]],
    rounds: Sequence[int],
    evaluated: _Evaluated,
) -> Variant:
    latency_seconds, paired = _latency(row, baseline)
    job, own = row["job"], trials[row["job"]]
    made, loss = evaluated.mistakes.get(job), evaluated.lost.get(job)
    logs = _by_round(own, rounds, _log_ratio if paired else _log_p50)
    values, ratios = _values(row), {"rss_bytes": _relative_by_round(own, rounds, "rss_peak_bytes", row)}
    for tail in TAILS:
        seconds, by_round = _tail(tail, row, baseline, trials, rounds)
        ratios[f"p{tail}_seconds"] = by_round
        values |= {f"p{tail}_seconds": seconds} if seconds is not None else {}
    values |= {"loss": loss.value} if loss is not None and loss.value is not None else {}
    return Variant(
        label=label,
        threads=row["threads"],
        block=block,
        latency_seconds=latency_seconds,
        paired=paired,
        values=values,
        mistakes=made.own if made else None,
        latency_steps=_deviations(logs, fmean, _widening(len(rounds))),
        ratio_steps={name: _deviations(values, lambda _: 1.0) for name, values in ratios.items()},
        capacity=measured_capacity(row, own),
        job=job,
        reasons={"loss": loss.reason} if loss else {},
        tested=None if job == row["baseline_job"] else evaluated.tested.get(job),
    )


def _tail(
    tail: int, row: Row, baseline: Row | None, trials: Mapping[str, Sequence[Row]], rounds: Sequence[int]
) -> tuple[float | None, list[float | None]]:
    """Return a percentile of the latency in seconds, and for each round how many times as high it was.

    It is the baseline's percentile × the ratio to it. Without a ratio it is the job's own percentile, which also
    depends on how fast the machine was at the time.
    """
    seconds, ratio = f"latency_p{tail}_seconds", f"latency_p{tail}_ratio"
    own = trials[row["job"]]
    if baseline is None or not baseline[seconds] or not row[ratio]:
        return row[seconds], _relative_by_round(own, rounds, seconds, row)
    clock = _relative_by_round(trials[baseline["job"]], rounds, seconds, baseline)
    by_round = zip(_relative_by_round(own, rounds, ratio, row), clock, strict=True)
    return baseline[seconds] * row[ratio], [a * b if a is not None and b is not None else None for a, b in by_round]


def _values(row: Row) -> dict[str, float]:
    flips = row["negative_flips_fraction"]
    if row["job"] == row["baseline_job"] and row["accuracy"] is not None:
        flips = 0.0  # no row compares a baseline with itself
    values = {
        "cold_start_seconds": row["cold_start_seconds"],
        "disk_bytes": row["disk_bytes"],
        "rss_bytes": row["rss_peak_bytes"],
        "score": score.value(row) if (score := score_of(row)) else None,
        "negative_flips": flips,
    }
    return {name: float(value) for name, value in values.items() if value is not None}


def _block(
    rows: Sequence[Row],
    rounds: Sequence[int],
    baseline_trials: Sequence[Row],
    evaluated: Mapping[str, Mistakes],
    baseline: Row | None,
    label: str,
) -> Block:
    """Return the block of jobs that share a baseline."""
    latencies = {
        f"p{percentile}": (baseline or {}).get(f"latency_p{percentile}_seconds") for percentile in (50, *TAILS)
    }
    sides = [evaluated[row["job"]].baseline for row in rows if row["job"] in evaluated]
    return Block(
        rounds=len(rounds),
        clock=_deviations(_by_round(baseline_trials, rounds, _log_p50), median, _widening(len(rounds))),
        noise_floor=next((row["noise_floor"] for row in rows if row["noise_floor"]), None),
        mistakes=sides[-1] if sides else None,
        baseline=label,
        baseline_seconds={name: seconds for name, seconds in latencies.items() if seconds},
    )


def _longest_tokens(rows: Sequence[Row]) -> int | None:
    """Return the length that the memory peaks of all jobs cover, in tokens; None if it is not known for one."""
    lengths = [row["rss_peak_tokens"] for row in rows]
    return None if not lengths or None in lengths else int(min(lengths))


def _problem(row: Row) -> str:
    return "unfinished" if row["status"] in ("ok", "missing") else str(row["status"])


def _latency(row: Row, baseline: Row | None) -> tuple[float, bool]:
    """Return the latency, and whether it comes from the ratio to the baseline, which scatters less than raw times."""
    if row["latency_ratio"] and baseline is not None and baseline["latency_p50_seconds"]:
        return row["latency_ratio"] * baseline["latency_p50_seconds"], True
    return row["latency_p50_seconds"], False


def _log_p50(trial: Row) -> float | None:
    return math.log(trial["latency_p50_seconds"]) if trial["latency_p50_seconds"] else None


def _log_ratio(trial: Row) -> float | None:
    return math.log(trial["latency_ratio"]) if trial["latency_ratio"] else None


def _relative_by_round(trials: Sequence[Row], rounds: Sequence[int], column: str, row: Row) -> list[float | None]:
    """Return one value per round: the mean of the round's trials ÷ that of the whole sweep."""
    whole = row[column]
    return _by_round(trials, rounds, lambda trial: trial[column] / whole if trial[column] and whole else None)


def _by_round(trials: Sequence[Row], rounds: Sequence[int], value: Callable[[Row], float | None]) -> list[float | None]:
    """Return one value per round: the mean of the round's trials, None where nothing is known."""
    known: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        if (own := value(trial)) is not None:
            known[trial["round"]].append(own)
    return [fmean(known[number]) if known[number] else None for number in rounds]


def _deviations(values: Sequence[float | None], middle: Middle, widening: float = 1.0) -> list[int]:
    """Return each value minus the middle of all, in steps; 0 for a value that is not known."""
    known = [value for value in values if value is not None]
    centre = middle(known) if known else 0.0
    return [0 if value is None else to_steps((value - centre) * widening) for value in values]


def _widening(rounds: int) -> float:
    """Return √(n ÷ (n − 1)), the factor by which a bootstrap of n values scatters too little.

    This is the narrowness bias (T. C. Hesterberg, "What teachers should know about the bootstrap", Am. Stat. 69, 2015).
    """
    return math.sqrt(rounds / (rounds - 1)) if rounds > 1 else 1.0
