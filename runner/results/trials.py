"""Reading trial files: each planned trial becomes one row of results, with its samples, its memory and its probes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from runner.machine.int8 import may_saturate
from runner.results.json_files import read_record
from runner.results.records.measured import CallSeries, MemorySeries
from runner.results.records.plan import trial_name
from runner.results.records.trial import TrialRecord
from runner.results.schema import LOAD, MEMORY, RESULTS, SAMPLES
from runner.results.statistics import TAILS, paired_log_ratio
from runner.store.sweep_folder import SweepFolder

_BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError),
    pa.ArrowException,
)


@dataclass(frozen=True)
class Trials:
    """The rows of some trials in the tables results, samples, memory and load."""

    results: Any
    samples: Any
    memory: Any
    load: Any


@dataclass(frozen=True)
class _Read:
    """One trial: where its file is, what the plan says about it, and what the file says."""

    relative: str
    planned: Mapping[str, Any]
    record: TrialRecord


def name_of_row(row: Mapping[str, Any]) -> str:
    """Return the name of the trial that a row describes."""
    return trial_name(row.get("measured_as") or row["job"], row["round"], row["role"])


def read_trials(sweep: Path, planned: Iterable[Mapping[str, Any]]) -> Trials:
    """Read the files of planned trials, in their order; a trial without a file (an unfinished sweep) is left out.

    A file that cannot be read, or that holds something other than a trial, is a crashed trial, never a gap. A trial
    that a cluster lost has a note instead of a file.

    Args:
        sweep: the sweep folder.
        planned: what the plan says about each trial and about its job.
    """
    trials = [trial for each in planned if (trial := _read_planned(sweep, each)) is not None]
    try:
        return _tables(trials)
    except _BROKEN:  # at least one of them cannot be converted: find out which
        each = [_table_of_one(trial) for trial in trials]
        return Trials(*(pa.concat_tables([getattr(part, name) for part in each]) for name in Trials.__annotations__))


def _read_planned(sweep: Path, planned: Mapping[str, Any]) -> _Read | None:
    folder, name = SweepFolder(sweep), name_of_row(planned)
    return _read(folder, folder.trial(name), planned) or _read(folder, folder.lost(name), planned)


def _read(folder: SweepFolder, path: Path, planned: Mapping[str, Any]) -> _Read | None:
    relative = path.relative_to(folder.path).as_posix()
    try:
        return _Read(relative, planned, _complete(read_record(path, TrialRecord)))
    except FileNotFoundError:
        return None
    except _BROKEN as error:
        return _crashed(relative, planned, error)


def _crashed(relative: str, planned: Mapping[str, Any], error: Exception) -> _Read:
    reason = f"{relative} cannot be read: {type(error).__name__}: {error}".splitlines()[0]
    return _Read(relative, planned, TrialRecord(status="crashed", error=reason))


def _complete(record: TrialRecord) -> TrialRecord:
    """Add the columns that follow from the trial's own file."""
    if record.status == "ok" and not (record.latency_p50_seconds or 0) > 0:
        raise ValueError("an ok trial without a latency")
    sets = record.box_instruction_sets
    record.int8_may_saturate = may_saturate(record.int8_weight_bits, sets.split() if sets is not None else None)
    _compare_with_partner(record)
    return record


def _compare_with_partner(record: TrialRecord) -> None:
    """Compare the trial's calls with those that the partner made in turn with them."""
    partner, samples = record.partner_latency_seconds, record.samples or CallSeries()
    if not partner:
        return
    latencies, turns = samples.latency_seconds or [], samples.turn or []
    if not len(latencies) == len(turns) == len(partner):
        raise ValueError("the calls of trial and partner, and their turns, differ in number")
    record.partner_ratio = _paired_ratio(latencies, partner)
    if samples.tokenize_seconds and record.partner_tokenize_seconds:
        own_engine = _without(latencies, samples.tokenize_seconds)
        record.partner_engine_ratio = _paired_ratio(own_engine, _without(partner, record.partner_tokenize_seconds))
    record.turns = len(set(turns))
    record.partner_latency_p50_seconds = median(partner)
    own, other = (np.percentile(side, TAILS) for side in (latencies, partner))
    record.partner_p90_ratio, record.partner_p95_ratio, record.partner_p99_ratio = (own / other).tolist()


def _paired_ratio(own: Sequence[float], partner: Sequence[float]) -> float | None:
    log_ratio = paired_log_ratio({0: own}, {0: partner})  # all in one turn: each turn has as many of both
    return math.exp(log_ratio) if log_ratio is not None else None


def _without(latencies: Sequence[float], parts: Sequence[float]) -> list[float]:
    """Return each latency minus its part.

    Raises:
        ValueError: if the parts differ in number, or if one is not shorter than its latency.
    """
    rest = [latency - part for latency, part in zip(latencies, parts, strict=True)]
    if min(rest) <= 0:
        raise ValueError("tokenizing took longer than the call")
    return rest


def _table_of_one(trial: _Read) -> Trials:
    try:
        return _tables([trial])
    except _BROKEN as error:
        return _tables([_crashed(trial.relative, trial.planned, error)])


def _tables(trials: Sequence[_Read]) -> Trials:
    """Build the tables. What the plan knows about a trial replaces what its file says."""
    known = [{key: value for key, value in trial.planned.items() if value is not None} for trial in trials]
    rows = [vars(trial.record) | planned for trial, planned in zip(trials, known, strict=True)]
    return Trials(
        pa.Table.from_pylist(rows, schema=RESULTS),
        _series(SAMPLES, [side for trial in trials for side in _sides(trial)]),
        _series(MEMORY, [(t.planned, _lists(t.record.memory), t.planned["role"]) for t in trials]),
        pa.Table.from_pylist([{**t.planned, **vars(probe)} for t in trials for probe in t.record.probes or ()], LOAD),
    )


def _sides(trial: _Read) -> list[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
    """Return the calls of a trial and of its partner: the trial, the lists of its columns, and whose calls they are."""
    record = trial.record
    sides = {trial.planned["role"]: _lists(record.samples)}
    if record.partner_latency_seconds:
        calls = {
            "latency_seconds": record.partner_latency_seconds,
            "tokenize_seconds": record.partner_tokenize_seconds,
        }
        sides["partner"] = {**_lists(record.samples), **calls}
    return [
        (trial.planned, {**lists, "call": range(len(lists.get("latency_seconds") or ()))}, role)
        for role, lists in sides.items()
    ]


def _lists(series: CallSeries | MemorySeries | None) -> Mapping[str, Any]:
    return vars(series) if series is not None else {}


def _series(schema: Any, parts: Sequence[tuple[Mapping[str, Any], Mapping[str, Any], str]]) -> Any:
    """Build a table of the lists of many trials, one below the other.

    Args:
        schema: the schema of the table; it names the trial's job, round and role, and then the lists.
        parts: for each trial what the plan says, its lists by column, and the role; a column without a list is null.

    Raises:
        ValueError: if the lists of a part differ in length.
    """
    longest = schema.names[-1]
    lengths = [len(lists.get(longest) or ()) for _, lists, _ in parts]
    trial = np.repeat(np.arange(len(parts)), lengths)
    columns = {
        "job": pa.array([planned["job"] for planned, _, _ in parts], pa.string()).take(pa.array(trial)),
        "round": pa.array(np.array([planned["round"] for planned, _, _ in parts], dtype=np.int64)[trial]),
        "role": pa.array([role for *_, role in parts], pa.string()).take(pa.array(trial)),
    }
    for field in schema:
        if field.name not in columns:
            each = [lists.get(field.name) for _, lists, _ in parts]
            filled = [[None] * n if values is None else values for values, n in zip(each, lengths, strict=True)]
            if list(map(len, filled)) != lengths:
                raise ValueError(f"{field.name} and {longest} differ in length")
            columns[field.name] = pa.array(list(chain.from_iterable(filled)), field.type)
    return pa.table(columns, schema=schema)
