"""Say what was run, where and when, and what a reader must know before believing a number."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow.compute as pc

from runner.results.format import gibibytes, pluralize, short_id
from runner.results.halves import search_note
from runner.results.tables import Row, Tables


def facts(tables: Tables) -> list[tuple[str, str]]:
    """Return what was run, where and when, as pairs of a name and a value. Unknown values are left out."""
    manifest = tables.manifest
    machine, measure = manifest.get("environment") or {}, manifest.get("measure") or {}
    rows = tables.jobs
    planned, ok = (sum(row[name] for row in rows) for name in ("trials_planned", "trials_ok"))
    boxes = tables.results.filter(pc.field("box_cpu_model").is_valid()).slice(0, 1)
    first: Row = next(iter(boxes.to_pylist()), {})
    started = sorted(moment[:16].replace("T", " ") for moment in tables.results["started_at"].to_pylist() if moment)
    limit = first.get("box_memory_limit_bytes")
    box = [manifest.get("isolation"), f"memory {gibibytes(limit)}" if limit else None]
    hardware = [
        machine.get("cpu_model") or first.get("box_cpu_model"),
        pluralize(machine["cores"], "core") if machine.get("cores") else None,
        gibibytes(machine["memory_bytes"]) if machine.get("memory_bytes") else None,
    ]
    pairs = [
        ("Measured", f"{pluralize(len(rows), 'job')}, {pluralize(planned, 'trial')} planned, {ok:,} ok"),
        ("Rounds asked for", str(_rounds(manifest) or "")),
        ("At once", _at_once(manifest.get("slots") or 1)),
        ("Settings", _settings(measure)),
        ("When (UTC)", " to ".join(dict.fromkeys(started[:1] + started[-1:]))),
        ("Box", _joined(box)),
        ("Image", short_id(machine["image_id"]) if machine.get("image_id") else ""),
        ("Lock file", short_id(machine["lock_sha256"]) if machine.get("lock_sha256") else ""),
        ("Code", str(machine.get("code_version") or "")),
        ("Machine", _joined(hardware)),
        ("Instruction sets", first.get("box_instruction_sets") or ""),
        ("Kernel", machine.get("kernel") or first.get("box_kernel") or ""),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in _versions(tables).items())),
    ]
    return [(name, value) for name, value in pairs if value]


def in_brief(facts: Sequence[tuple[str, str]]) -> str:
    """Return the most important of the facts on one line."""
    known = dict(facts)
    names = ("Measured", "Rounds asked for", "Box", "Machine", "When (UTC)")
    return " · ".join(
        pluralize(int(known[name]), "round") if name == "Rounds asked for" else known[name]
        for name in names
        if name in known
    )


def notes(tables: Tables) -> list[str]:
    """Return what a reader must know before believing a number."""
    manifest, rows = tables.manifest, tables.jobs
    missing = sum(row["trials_missing"] for row in rows)
    random_models = sorted({row["model"] for row in rows if row["weights"] == "random"})
    said = []
    if manifest.get("isolation") == "process":
        why = f" ({manifest['isolation_note'].rstrip('.')})" if manifest.get("isolation_note") else ""
        said.append(f"Trials ran as pinned processes{why}: memory and network were not enclosed.")
    if random_models:
        said.append(
            f"Random weights: {', '.join(random_models)}. Size, memory and speed are those of the real model; "
            "accuracy would mean nothing and is left out."
        )
    said += _control(manifest.get("control"))
    said += search_note(tables)
    if missing:
        said.append(f"The sweep is unfinished: {pluralize(missing, 'planned trial')} left no file.")
    if _rounds(manifest) == 1:
        said.append("One round only: speedups have no interval and are not evaluated.")
    return said + [str(warning) for warning in manifest.get("warnings") or []]


def _control(control: Row | None) -> list[str]:
    """Return whether predictions were compared with those of transformers."""
    if control is None:
        return []
    if not control["asked"]:
        return ["Not compared with transformers' own predictions: control_texts is 0."]
    said = []
    if control["compared"]:
        texts, difference = pluralize(control["texts"], "text"), control["largest_difference"]
        said.append(
            f"In float32, predictions equal transformers' own on {texts} (largest logit difference {difference:.1g})."
        )
    for reason, jobs in control["not_compared"].items():
        whose = jobs[0] if len(jobs) == 1 else pluralize(len(jobs), "job")
        said.append(f"Not compared with transformers' own predictions: {whose}: {reason.rstrip('.')}.")
    return said


def _rounds(manifest: Row) -> int | None:
    """Return how many rounds were asked for; sweeps of schema 1 recorded it elsewhere."""
    rounds: int | None = (manifest.get("measure") or {}).get("rounds") or manifest.get("rounds")
    return rounds


def _at_once(slots: int) -> str:
    return f"up to {slots} rounds, each on a last-level cache of its own" if slots > 1 else ""


def _versions(tables: Tables) -> dict[str, str]:
    """Return the versions in the boxes.

    A version that no box reported is that of the host's environment, which is installed from the same lock file.
    """
    machine = tables.manifest.get("environment") or {}
    beside = {"Python": machine.get("python"), **(machine.get("versions") or {})}
    rests, engines = (
        [json.loads(text) for text in tables.results[column].unique().to_pylist() if text]
        for column in ("box_rest", "box_engine")
    )
    told = [{"Python": rest.get("python")} for rest in rests] + engines
    found = {}
    for name, version in beside.items():
        own = {str(one[name]).partition("-")[0] for one in told if one.get(name)}  # without openvino's build number
        found[name] = " and ".join(sorted(own)) or version
    return {name: version for name, version in found.items() if version}


def _settings(measure: Row) -> str:
    """Return the settings of measuring on one line. The limits of disturbance are in the manifest."""
    shown = {k: v for k, v in measure.items() if k not in ("name", "rounds", "limits") and v is not None}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _joined(parts: Sequence[str | None]) -> str:
    return ", ".join(part for part in parts if part)
