"""How jobs are kept apart by CPU model, where the nodes of a cluster differ in it.

The CPU is a condition of a measurement, as the number of threads is. But which CPU a round runs on is known only when
it is measured. So each job is split into one job for each CPU model, which is compared with the baseline on that CPU.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from runner.results.records.plan import PlanRecord
from runner.store.sweep_folder import SweepFolder


def cpu_of_units(sweep: Path) -> dict[str, str]:
    """Return the CPU model that measured each unit (see runner/sweep/cluster/units.py); empty if all are alike."""
    models = {path.stem: str(node["cpu_model"]) for path, node in _nodes(sweep)}
    return models if len(set(models.values())) > 1 else {}


def nodes_of(sweep: Path) -> dict[str, dict[str, Any]]:
    """Return the nodes of a cluster that measured, by name, with what runner/machine/provenance.py says about each.

    Empty for a sweep on one machine.
    """
    return {node["node"]: {k: v for k, v in node.items() if k != "node"} for _, node in _nodes(sweep)}


def _nodes(sweep: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in SweepFolder(sweep).nodes():
        yield path, json.loads(path.read_text(encoding="utf-8"))


def environment_of_nodes(planned: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the plan's environment with the nodes in place of the machine that handed out the work."""
    machines = [nodes[name] for name in sorted(nodes)]
    if not machines:
        return dict(planned)
    cpus = " and ".join(sorted({str(machine.get("cpu_model")) for machine in machines}))
    hardware = {key: machines[0].get(key) for key in ("cores", "logical_cpus", "memory_bytes", "kernel")}
    return {**planned, **hardware, "cpu_model": cpus}


def apart_by_cpu(plan: PlanRecord, cpus: Mapping[str, str]) -> PlanRecord:
    """Return the plan with each job, trial and waterfall split by CPU model.

    A round that no node has begun yet is assumed to run on the most frequent CPU model.

    Args:
        plan: the plan of the sweep.
        cpus: the CPU model of each unit; see `cpu_of_units`.
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
    """Return the keys that each job that was measured has in the tables: its own, or one for each CPU model."""
    keys_of: dict[str, list[str]] = {}
    for job in plan.jobs:
        keys_of.setdefault(job.file_key, []).append(job.job)
    return keys_of


def _key(job: str, cpu: str) -> str:
    return f"{job}@{re.sub('[^A-Za-z0-9.]+', '-', cpu).strip('-')}"


def _key_of_baseline(baseline: str | None, cpu: str) -> str | None:
    return _key(baseline, cpu) if baseline else None
