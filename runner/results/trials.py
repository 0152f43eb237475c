"""Reading trial files: each planned trial becomes one row of results, with its samples and its memory."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from runner.results.schema import MEMORY, RESULTS, SAMPLES, STATUSES
from runner.results.statistics import paired_log_ratio


@dataclass(frozen=True)
class Trial:
    """One trial: a row of results, and its part of the tables samples and memory."""

    row: dict[str, Any]
    samples: Any
    memory: Any


def trial_folder(planned: Mapping[str, Any]) -> str:
    """Return the name of a planned trial's folder below `trials/`."""
    return f"{planned.get('measured_as', planned['job'])}-r{planned['round']}-{planned['role']}"


def read_trial(sweep: Path, planned: Mapping[str, Any]) -> Trial | None:
    """Read the file of a planned trial; None if there is none (an unfinished sweep).

    A file that cannot be read, or that holds something else than a trial, is a crashed trial, never a gap. A trial that
    a cluster lost has a note instead of a file.

    Args:
        sweep: the sweep folder.
        planned: what the plan says of the trial and of its job.
    """
    folder = f"trials/{trial_folder(planned)}"
    return _read(sweep, f"{folder}/trial.json", planned) or _read(sweep, f"{folder}/lost.json", planned)


_NOT_A_TRIAL = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def _read(sweep: Path, relative: str, planned: Mapping[str, Any]) -> Trial | None:
    try:
        return _parse((sweep / relative).read_text(encoding="utf-8"), planned)
    except FileNotFoundError:
        return None
    except (*_NOT_A_TRIAL, pa.ArrowException) as error:
        reason = f"{relative} cannot be read: {type(error).__name__}: {error}".splitlines()[0]
        return Trial(_row({**planned, "status": "crashed", "error": reason}), *_series({}, planned))


def _parse(text: str, planned: Mapping[str, Any]) -> Trial:
    content = json.loads(text)
    if content["status"] not in STATUSES:
        raise ValueError(f"unknown status {content['status']!r}")
    if content["status"] == "ok" and not content["latency_p50_seconds"] > 0:
        raise ValueError("an ok trial without a latency")
    known = {key: value for key, value in planned.items() if value is not None}
    row = _row(content | known | _paired_columns(content) | _box_columns(content.get("box") or {}))
    return Trial(row, *_series(content, planned))


def _row(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the columns of results, and let pyarrow check their types."""
    row = {name: values.get(name) for name in RESULTS.names}
    checked: dict[str, Any] = pa.Table.from_pylist([row], schema=RESULTS).to_pylist()[0]
    return checked


def _paired_columns(content: Mapping[str, Any]) -> dict[str, Any]:
    """Compare the trial's calls with those that the partner made in turn with them."""
    samples, partner = content.get("samples") or {}, _partner_latencies(content)
    if not partner:
        return {}
    own_turns, partner_turns = (_by_turn(samples["turn"], calls) for calls in (samples["latency_seconds"], partner))
    log_ratio = paired_log_ratio(own_turns, partner_turns)
    return {
        "partner_ratio": math.exp(log_ratio) if log_ratio is not None else None,
        "turns": len(own_turns),
        "partner_latency_p50_seconds": median(partner),
    }


def _by_turn(turns: Sequence[int], latencies: Sequence[float]) -> dict[int, list[float]]:
    grouped: dict[int, list[float]] = defaultdict(list)
    for turn, latency in zip(turns, latencies, strict=True):
        grouped[turn].append(latency)
    return grouped


def _partner_latencies(content: Mapping[str, Any]) -> list[float]:
    return (content.get("partner") or {}).get("latency_seconds") or []


def _series(content: Mapping[str, Any], planned: Mapping[str, Any]) -> tuple[Any, Any]:
    samples, memory = content.get("samples") or {}, content.get("memory") or {}
    own, partner = samples.get("latency_seconds") or [], _partner_latencies(content)
    seconds = memory.get("seconds") or []
    trial = {"job": planned["job"], "round": planned["round"], "role": planned["role"]}
    sides = {trial["role"]: own} | ({"partner": partner} if partner else {})
    both = [
        _table(
            SAMPLES, len(calls), samples | trial | {"latency_seconds": calls, "call": range(len(calls)), "role": role}
        )
        for role, calls in sides.items()
    ]
    return pa.concat_tables(both), _table(MEMORY, len(seconds), {**memory, **trial})


def _table(schema: Any, length: int, values: Mapping[str, Any]) -> Any:
    """Build a table from lists, repeating single values; a list of another length is an error."""
    columns = []
    for field in schema:
        value = values.get(field.name)
        single = value is None or isinstance(value, str | int)
        columns.append(pa.repeat(pa.scalar(value, field.type), length) if single else pa.array(value, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


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
    return separator.join(map(str, values)) if values else None


def _json(value: Any) -> str | None:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if value else None
