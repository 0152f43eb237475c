"""Keeping CPU models apart: where a cluster's nodes differ, each job counts once per CPU model, with its own baseline.

A CPU is a condition of a measurement, as threads are; but which one a round meets is known only when it is measured.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from runner.results.records.plan import PlanRecord
from runner.store.sweep_folder import SweepFolder


def cpu_of_units(sweep: Path) -> dict[str, str]:
    """Return the CPU model that measured each unit (see runner/sweep/cluster/units.py); empty if all are alike."""
    found: dict[str, str] = {}
    for path in SweepFolder(sweep).nodes():
        found[path.stem] = json.loads(path.read_text(encoding="utf-8"))["cpu_model"]
    return found if len(set(found.values())) > 1 else {}


def nodes_of(sweep: Path) -> dict[str, dict[str, Any]]:
    """Return the nodes of a cluster that measured, by name, with what runner/machine/provenance.py says of each.

    Empty for a sweep on one machine.
    """
    notes = [json.loads(path.read_text(encoding="utf-8")) for path in SweepFolder(sweep).nodes()]
    return {note["node"]: {k: v for k, v in note.items() if k != "node"} for note in notes}


def environment_of_nodes(planned: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the plan's environment with the machine of the nodes in place of the one that handed out the work."""
    machines = [nodes[name] for name in sorted(nodes)]
    if not machines:
        return dict(planned)
    cpus = " and ".join(sorted({str(machine.get("cpu_model")) for machine in machines}))
    own = {key: machines[0].get(key) for key in ("cores", "logical_cpus", "memory_bytes", "kernel")}
    return {**planned, **own, "cpu_model": cpus}


def apart_by_cpu(plan: PlanRecord, cpus: Mapping[str, str]) -> PlanRecord:
    """Return the plan as if each CPU model had been planned for: jobs and trials of their own, waterfalls too.

    A round that no node has begun yet is counted with the most frequent CPU model.

    Args:
        plan: of the sweep.
        cpus: see `cpu_of_units`.
    """
    if not cpus:
        return plan
    usual = Counter(cpus.values()).most_common(1)[0][0]
    trials, jobs_on = [], dict[str, set[str]]()
    for trial in plan.trials:
        cpu = cpus.get(trial.unit, usual)
        jobs_on.setdefault(cpu, set()).add(trial.job)
        trials.append(replace(trial, job=_key(trial.job, cpu), baseline=_key_of_baseline(trial.baseline, cpu)))
    ordered = sorted(jobs_on)
    return replace(
        plan,
        jobs=[
            replace(
                job,
                job=_key(job.job, cpu),
                baseline=_key_of_baseline(job.baseline, cpu),
                cpu=cpu,
                measured_as=job.job,
            )
            for cpu in ordered
            for job in plan.jobs
            if job.job in jobs_on[cpu]
        ],
        trials=trials,
        waterfalls=[
            [_key(job, cpu) for job in chain]
            for cpu in ordered
            for chain in plan.waterfalls
            if {*chain} <= jobs_on[cpu]
        ],
    )


def jobs_measured_as(plan: PlanRecord) -> dict[str, list[str]]:
    """Return under which keys each job is counted: its own, or one per CPU model."""
    found: dict[str, list[str]] = {}
    for job in plan.jobs:
        found.setdefault(job.file_key, []).append(job.job)
    return found


def _key(job: str, cpu: str) -> str:
    return f"{job}@{re.sub('[^A-Za-z0-9.]+', '-', cpu).strip('-')}"


def _key_of_baseline(baseline: str | None, cpu: str) -> str | None:
    return _key(baseline, cpu) if baseline else None
