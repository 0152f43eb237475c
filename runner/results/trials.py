"""Reading trial files: each planned trial becomes one row of results, with its samples and its memory."""

from __future__ import annotations

import json
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
from runner.results.json_files import read_json
from runner.results.plan_record import trial_name
from runner.results.schema import MEMORY, RESULTS, SAMPLES, STATUSES
from runner.results.statistics import paired_log_ratio
from runner.store.sweep_folder import SweepFolder

_BROKEN = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError),
    pa.ArrowException,
)


@dataclass(frozen=True)
class Trials:
    """Some trials as their parts of the tables results, samples and memory."""

    results: Any
    samples: Any
    memory: Any


@dataclass(frozen=True)
class _Read:
    """One trial: where its file is, and what it says."""

    relative: str
    planned: Mapping[str, Any]
    content: dict[str, Any]


def name_of_row(row: Mapping[str, Any]) -> str:
    """Return the name of the trial that a row is about."""
    return trial_name(row.get("measured_as") or row["job"], row["round"], row["role"])


def read_trials(sweep: Path, planned: Iterable[Mapping[str, Any]]) -> Trials:
    """Read the files of planned trials, in their order; one without a file (an unfinished sweep) is left out.

    A file that cannot be read, or that holds something else than a trial, is a crashed trial, never a gap. A trial that
    a cluster lost has a note instead of a file.

    Args:
        sweep: the sweep folder.
        planned: what the plan says of each trial and of its job.
    """
    found = [read for one in planned if (read := _read_planned(sweep, one)) is not None]
    try:
        return _tables(found)
    except _BROKEN:  # of one at least: which is found out one by one
        each = [_alone(read) for read in found]
        return Trials(*(pa.concat_tables([getattr(one, name) for one in each]) for name in Trials.__annotations__))


def _read_planned(sweep: Path, planned: Mapping[str, Any]) -> _Read | None:
    folder, name = SweepFolder(sweep), name_of_row(planned)
    return _read(folder, folder.trial(name), planned) or _read(folder, folder.lost(name), planned)


def _read(folder: SweepFolder, path: Path, planned: Mapping[str, Any]) -> _Read | None:
    relative = path.relative_to(folder.path).as_posix()
    try:
        return _Read(relative, planned, _parse(read_json(path)))
    except FileNotFoundError:
        return None
    except _BROKEN as error:
        return _crashed(relative, planned, error)


def _crashed(relative: str, planned: Mapping[str, Any], error: Exception) -> _Read:
    reason = f"{relative} cannot be read: {type(error).__name__}: {error}".splitlines()[0]
    return _Read(relative, planned, {"status": "crashed", "error": reason})


def _parse(content: Any) -> dict[str, Any]:
    if content["status"] not in STATUSES:
        raise ValueError(f"unknown status {content['status']!r}")
    if content["status"] == "ok" and not content["latency_p50_seconds"] > 0:
        raise ValueError("an ok trial without a latency")
    box = content.get("box") or {}
    found = {"int8_may_saturate": may_saturate(content.get("int8_weight_bits"), box.get("instruction_sets"))}
    parsed: dict[str, Any] = content | _paired_columns(content) | _box_columns(box) | found
    return parsed


def _alone(read: _Read) -> Trials:
    try:
        return _tables([read])
    except _BROKEN as error:
        return _tables([_crashed(read.relative, read.planned, error)])


def _tables(found: Sequence[_Read]) -> Trials:
    """Build the tables; pyarrow checks the types."""
    known = [{key: value for key, value in one.planned.items() if value is not None} for one in found]
    rows = [one.content | own for one, own in zip(found, known, strict=True)]
    return Trials(
        pa.Table.from_pylist(rows, schema=RESULTS),
        _series(SAMPLES, [side for one in found for side in _sides(one)]),
        _series(MEMORY, [(one.planned, one.content.get("memory") or {}, one.planned["role"]) for one in found]),
    )


def _sides(read: _Read) -> list[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
    """Return the calls of a trial and of its partner: the trial, the lists of its columns, and whose calls they are."""
    samples, partner = read.content.get("samples") or {}, _partner_latencies(read.content)
    own = samples.get("latency_seconds") or []
    sides = {read.planned["role"]: own} | ({"partner": partner} if partner else {})
    return [
        (read.planned, samples | {"latency_seconds": calls, "call": range(len(calls))}, role)
        for role, calls in sides.items()
    ]


def _series(schema: Any, parts: Sequence[tuple[Mapping[str, Any], Mapping[str, Any], str]]) -> Any:
    """Build a table of many trials' lists, one below the other.

    Args:
        schema: of the table; it names the trial's job, round and role, and then the lists.
        parts: per trial what was planned of it, its lists by column, and the role; a column without a list is null.

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


def _paired_columns(content: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the trial's calls with those that the partner made in turn with them."""
    samples, partner = content.get("samples") or {}, _partner_latencies(content)
    if not partner:
        return {}
    own, turns = samples["latency_seconds"], samples["turn"]
    if not len(own) == len(turns) == len(partner):
        raise ValueError("the calls of trial and partner, and their turns, differ in number")
    log_ratio = paired_log_ratio({0: own}, {0: partner})  # as many of each in every turn: all in one is the same
    return {
        "partner_ratio": math.exp(log_ratio) if log_ratio is not None else None,
        "turns": len(set(turns)),
        "partner_latency_p50_seconds": median(partner),
    }


def _partner_latencies(content: Mapping[str, Any]) -> list[float]:
    return (content.get("partner") or {}).get("latency_seconds") or []


def _box_columns(box: Mapping[str, Any]) -> dict[str, Any]:
    """Split the free-form read-back into the columns that matter and one JSON string with the rest."""
    rest = dict(box)
    engine = dict(rest.pop("engine", None) or {})
    columns = {
        "box_cpus": _joined(rest.pop("cpus", None), ","),
        "box_cgroup_version": rest.pop("cgroup_version", None),
        "box_memory_limit_bytes": rest.pop("memory_limit_bytes", None),
        "box_engine_threads": engine.pop("threads", None),
        "box_os_threads": rest.pop("os_threads", None),
        "box_cpu_model": rest.pop("cpu_model", None),
        "box_kernel": rest.pop("kernel", None),
        "box_instruction_sets": _joined(rest.pop("instruction_sets", None), " "),
        "box_engine": _json(engine),
    }
    return columns | {"box_rest": _json(rest)}


def _joined(values: list[Any] | None, separator: str) -> str | None:
    return None if values is None else separator.join(map(str, values))


def _json(value: Any) -> str | None:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if value else None
