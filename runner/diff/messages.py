"""The sentences of a diff. They are written once, and shown as HTML, as Markdown and on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from runner.diff.change import (
    CAPACITY,
    CAPACITY_RATIO,
    PREDICTIONS,
    RATIO,
    SCORE,
    SETTINGS,
    STATUS,
    Change,
    Measure,
)
from runner.diff.compare import Compared, Diff
from runner.diff.fail_on import FAIL_ON
from runner.diff.join import Pair, Side
from runner.diff.measures import MACHINE
from runner.results.format import (
    UNKNOWN,
    megabytes,
    milliseconds,
    of_baseline,
    per_second,
    pluralize,
    seconds,
    significant,
    speedup,
)
from runner.results.labels import group_label, job_label
from runner.results.tables import Row, Tables

_FIGURES: dict[str, Callable[[float | None], str]] = {
    "latency_ratio": speedup,
    "latency": milliseconds,
    "capacity_ratio": of_baseline,
    "capacity": per_second,
    "memory": megabytes,
    "disk": megabytes,
    "load": seconds,
    "first_call": milliseconds,
}

_TONES = dict.fromkeys(("slower", "less-capacity", "larger", "lower-score", "broken"), "worse") | dict.fromkeys(
    ("faster", "more-capacity", "smaller", "higher-score", "mended"), "better"
)


def sweep_line(tables: Tables) -> str:
    """Return the folder and the name of a sweep, and the time of its first trial."""
    started = sorted(moment[:16].replace("T", " ") for moment in tables.results["started_at"].to_pylist() if moment)
    return ", ".join([str(tables.folder), str(tables.manifest.get("sweep")), *(f"{when} UTC" for when in started[:1])])


def namer(comparison: Diff) -> Callable[[Side], str]:
    """Return a function that names a job by what distinguishes the jobs of both sweeps: by key if nothing else does."""
    pairs = [*(job.pair for job in comparison.compared), *comparison.other_inputs]
    rows = [side.row for side in [*(pair.b for pair in pairs), *comparison.only_a, *comparison.only_b]]
    one_family = len({row["family"] for row in rows}) == 1
    one_input = len({(row["task"], row["workload"]) for row in rows}) == 1

    def name(row: Row) -> str:
        job = f"{group_label(row)} · {pluralize(row['threads'], 'thread')}" if one_family else job_label(row)
        return job if one_input else f"{job} · {row['task']} · {row['workload']}"

    counts = Counter(map(name, rows))

    def unique(side: Side) -> str:
        title = name(side.row)
        return title if counts[title] <= 1 else f"{title} ({side.row['job']})"

    return unique


def relative(change: Change) -> str:
    """Return the size of a change: +12.9%, ×2.31, −1.7 points, or a number of examples."""
    if change.ratio is not None:
        return _percent_or_times(change.ratio)
    if change.measure is SCORE:
        return f"{_signed(100 * (change.difference or 0.0))} points"
    if change.measure is CAPACITY:
        difference = change.difference or 0.0
        return f"{'+' if difference > 0 else '−'}{per_second(abs(difference))}"
    return f"{change.difference or 0:,.0f}"


def interval(change: Change) -> str:
    """Return the 95% interval of a change; empty if there is none."""
    if change.low is None or change.high is None:
        return ""
    if change.ratio is not None:
        return f"{_percent_or_times(change.low)} to {_percent_or_times(change.high)}".replace("% to", " to")
    return f"{_signed(100 * change.low)} to {_signed(100 * change.high)}"


def sentence(change: Change) -> str:
    """Return a change in one line, as 'Own memory 180 MB → 240 MB, +33.3% (+32.9% to +33.8%), larger'."""
    title = change.title
    if change.measure in (SETTINGS, STATUS):
        return f"{title}: {change.note}"
    if change.measure is PREDICTIONS:
        return f"{relative(change)} of {change.n_b:,} predictions changed"
    a, b = figures(change)
    name = "Speedup" if change.measure is RATIO else title
    ends = interval(change)
    size = f"latency {relative(change)}" if change.measure is RATIO else relative(change)
    parts = [f"{name} {a} → {b}", size + (f" ({ends})" if ends else "")]
    parts += _machine(change)
    return ", ".join([*parts, *([change.direction] if change.real else []), *([change.note] if change.note else [])])


def figures(change: Change) -> tuple[str, str]:
    """Return the figures in A and in B, UNKNOWN if there are none; latency against the baseline is a speedup."""
    if change.score and change.a is not None and change.b is not None:
        return change.score.text(change.a), change.score.text(change.b)
    figure = _FIGURES.get(change.measure.name)
    return (figure(change.a), figure(change.b)) if figure else (UNKNOWN, UNKNOWN)


def tone(change: Change) -> str:
    """Return worse, better or changed for a real change, and an empty text for one that is not real."""
    if not change.real:
        return ""
    return _TONES.get(change.direction, "changed")


def basis(change: Change) -> str:
    """Return what a verdict rests on, as 'p 0.003 (Holm), floor 30.0%, 8 and 8 values'."""
    if change.certain:
        return ""
    p = change.p_value_holm
    parts = [f"p {p:.3f} (Holm)" if p >= 0.001 else "p < 0.001 (Holm)"] if p is not None else []
    parts += [f"floor {100 * (change.floor - 1):.1f}%"] if change.floor is not None else []
    return ", ".join([*parts, *_machine(change), f"{change.n_a:,} and {change.n_b:,} values"])


def shown(measures: Sequence[Measure], comparison: Diff) -> list[Measure]:
    """Return the measures for a table: capacities only where a job has one."""
    known = {change.measure for job in comparison.compared for change in job.changes}
    return [measure for measure in measures if measure in known or measure not in (CAPACITY, CAPACITY_RATIO)]


def cell(change: Change | None, with_interval: bool) -> str:
    """Return a change for a table: its size, and its interval if wanted."""
    if change is None:
        return UNKNOWN
    ends = interval(change) if with_interval else ""
    return f"{relative(change)} ({ends})" if ends else relative(change)


def conclusion(comparison: Diff, fail_on: str, code: int) -> str:
    """Return the last line: how many jobs really changed, and the exit code."""
    if code == 2:
        return f"Not comparable: {_why_not(comparison)} Exit code 2."
    real, total = len(comparison.real), len(comparison.compared)
    words = {change.direction for job in comparison.real for change in job.real}
    verdict = f"Really different: {real} of {pluralize(total, 'job')} ({', '.join(sorted(words))})."
    if not real:
        verdict = f"Nothing is really different in {pluralize(total, 'job')}."
    directions = FAIL_ON[fail_on]
    asked = "" if directions is None else f": --fail-on={fail_on} looks only for {' and '.join(directions)}"
    return f"{verdict} Exit code {code}{asked}."


def notes(comparison: Diff) -> list[str]:
    """Return notes on artifacts, failed trials, other keys, and jobs that cannot be compared."""
    known = [job for job in comparison.compared if job.pair.same_artifact is not None]
    same = sum(bool(job.pair.same_artifact) for job in known)
    lines = [f"Artifacts: {same} of {len(known)} identical byte for byte."] if known else []
    lines += _machine_notes(comparison)
    raw = [job for job in comparison.compared if job.change(RATIO.name) is None and not job.pair.b.is_baseline]
    if raw:
        lines.append(
            f"{pluralize(len(raw), 'job')} had no latency against a baseline in every round (no baseline, or an older "
            "protocol): raw latency is evaluated."
        )
    renamed = [job for job in comparison.compared if _hidden_setting(job.pair)]
    if renamed:
        lines.append(
            f"{pluralize(len(renamed), 'job')} had another key, though no recorded setting differs: "
            "conf/ or its schema changed between the two code versions."
        )
    name = namer(comparison)
    for job in comparison.compared:
        lines += [f"{name(job.pair.b)}: {text}" for text in (*_problems(job), *_quality(job))]
    return lines + [f"{name(pair.b)}: not compared, its texts differ." for pair in comparison.other_inputs]


def _machine_notes(comparison: Diff) -> list[str]:
    """Return how the machine itself shifted from A to B, seen in baselines that ran the same software in both."""
    shifts: dict[str, list[float]] = {}
    for job in comparison.compared:
        for change in job.changes:
            if change.not_evaluated == MACHINE and change.ratio is not None:
                shifts.setdefault(change.measure.title.lower(), []).append(change.ratio)
    if not shifts:
        return []
    shown = ", ".join(f"{title} {_range(ratios)}" for title, ratios in shifts.items())
    return [f"The machine's own shift from A to B, seen in the baselines, whose software is the same: {shown}."]


def _range(ratios: list[float]) -> str:
    ends = [_percent_or_times(ratio) for ratio in (min(ratios), max(ratios))]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _machine(change: Change) -> list[str]:
    """Return the machine's own shift, unless it is less than half a percent."""
    if change.machine is None or abs(change.machine - 1) < 0.005:
        return []
    return [f"the machine itself {_percent_or_times(change.machine)}"]


def _quality(job: Compared) -> list[str]:
    """Return what the verdict on the quality was in A and is in B, if they differ."""
    a, b = (side.row["quality_verdict"] for side in (job.pair.a, job.pair.b))
    return [f"its quality against the baseline was {a} in A and is {b} in B."] if a and b and a != b else []


def _problems(job: Compared) -> list[str]:
    rows = (("A", job.pair.a.row), ("B", job.pair.b.row))
    return [f"{name} has {problem}." for name, row in rows if (problem := _trials_not_ok(row))]


def _trials_not_ok(row: Row) -> str:
    """Return the failed trials, as '1 of 8 trials oom'; a job without any good trial has a change of status."""
    planned, ok, missing = row["trials_planned"], row["trials_ok"], row["trials_missing"]
    failed = planned - ok - missing
    parts = [f"{failed} of {pluralize(planned, 'trial')} {row['status']}"] if failed else []
    return ", ".join(parts + ([f"{missing} of {pluralize(planned, 'trial')} missing"] if missing else []))


def _hidden_setting(pair: Pair) -> bool:
    return bool(pair.a.row["job"] != pair.b.row["job"] and not pair.settings)


def _why_not(comparison: Diff) -> str:
    if comparison.other_inputs:
        return "both have the same jobs, but their texts differ. Sweep the same task on both sides."
    isolation = [difference for difference in comparison.environment if difference.name == "isolation"]
    if isolation:
        return f"{isolation[0].a} and {isolation[0].b} boxes. Sweep with the same isolation on both sides."
    return "no job is in both. Give two sweeps of the same grid."


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")


def _percent_or_times(ratio: float) -> str:
    return f"×{significant(ratio)}" if ratio >= 2 else f"{_signed(100 * (ratio - 1))}%"
