"""From the files of a sweep to its tables: a pure function of files, to be run again at any time.

python -m runner.results SWEEP
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from runner.errors import UserError
from runner.layout import SCHEMA, peaks_file
from runner.results.cpus import apart_by_cpu, cpu_of_units, environment_of_nodes, jobs_measured_as, nodes_of
from runner.results.metrics import code_of, with_metrics
from runner.results.predictions import Evaluation, predictions_table, read_evaluations
from runner.results.rounds import judge
from runner.results.schema import MEMORY, RESULTS, SAMPLES, VERSION
from runner.results.summary import summarize
from runner.results.tables import Tables, write_tables
from runner.results.trials import read_trial, trial_folder


def collect(sweep: Path) -> Tables:
    """Read the plan, trials and predictions of a sweep, write its tables beside them, and return them.

    Rows come in the order of the plan. A planned trial without a file is no row of results; the summary
    counts it as missing.

    Args:
        sweep: the sweep folder, with plan.json.

    Raises:
        UserError: if there is no readable plan.
    """
    plan = apart_by_cpu(read_plan(sweep), cpu_of_units(sweep))
    jobs = {job["job"]: job for job in plan["jobs"]}
    identity = {"sweep": plan["sweep"], "seed": plan.get("seed")}
    planned = [identity | jobs[trial["job"]] | trial for trial in plan["trials"]]
    read = [trial for trial in (read_trial(sweep, one) for one in planned) if trial is not None]
    evaluations, warnings = read_evaluations(sweep)
    evaluations, unknown = with_metrics(evaluations, plan.get("metrics") or [])
    counted_as = jobs_measured_as(plan)
    evaluations = [replace(e, jobs=[key for job in e.jobs for key in counted_as.get(job, [job])]) for e in evaluations]
    rows = [trial.row for trial in read]
    judged = judge(rows, plan["measure"]["limits"], plan["measure"]["rounds"])
    for row, columns in zip(rows, judged, strict=True):
        row |= columns
    tables = Tables(
        folder=sweep,
        results=pa.Table.from_pylist(rows, schema=RESULTS),
        summary=summarize(plan["jobs"], planned, rows, evaluations),
        samples=pa.concat_tables([SAMPLES.empty_table(), *(trial.samples for trial in read)]),
        memory=pa.concat_tables([MEMORY.empty_table(), *(trial.memory for trial in read)]),
        predictions=predictions_table(plan["jobs"], evaluations),
        manifest=_manifest(sweep, plan, evaluations, [*warnings, *unknown, *_unplanned(sweep, planned)]),
    )
    write_tables(tables)
    return tables


def read_plan(sweep: Path) -> dict[str, Any]:
    """Read the plan of a sweep.

    Raises:
        UserError: if there is none, or none that this version can read.
    """
    path = sweep / "plan.json"
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Give the folder of a sweep, such as outputs/demo.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error}). Run the sweep again to write it anew.") from None
    known = isinstance(plan, dict) and plan.get("schema") == SCHEMA
    if not known or not {"sweep", "jobs", "trials", "measure"} <= plan.keys():
        raise UserError(f"{path} is not a plan of schema {SCHEMA}. Run the sweep again to write it anew.")
    return plan


def _manifest(
    sweep: Path, plan: Mapping[str, Any], evaluations: Sequence[Evaluation], warnings: Sequence[str]
) -> dict[str, Any]:
    """Return what the tables do not say: the grid, the environment, labels in order, lineages, what was odd."""
    copied = (
        "sweep",
        "overrides",
        "grid",
        "seed",
        "isolation",
        "isolation_note",
        "measure",
        "slots",
        "waterfalls",
    )
    task_of = {job["job"]: job.get("task") for job in plan["jobs"]}
    judged = [(job, evaluation) for evaluation in evaluations for job in evaluation.jobs]
    by_task = {task_of[job]: one for job, one in judged if task_of.get(job)}  # a job may have left the plan
    return {
        "schema": VERSION,
        **{key: plan.get(key) for key in copied},
        "environment": environment_of_nodes(plan.get("environment") or {}, nodes_of(sweep)),
        "nodes": nodes_of(sweep),
        "metrics": code_of(plan.get("metrics") or []),
        "labels": {task: by_task[task].names for task in sorted(by_task)},
        "kinds": {task: by_task[task].kind for task in sorted(by_task)},
        "pairs": [task for task in sorted(by_task) if by_task[task].pairs],
        "peaks": _peaks(sweep),
        "lineage": {e.artifact: e.lineage for e in sorted(evaluations, key=lambda e: e.artifact)},
        "warnings": list(warnings),
    }


def _peaks(sweep: Path) -> Any:
    path = peaks_file(sweep)
    return json.loads(path.read_text()) if path.exists() else None


def _unplanned(sweep: Path, planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which trials were left out because the plan does not hold them."""
    expected = {trial_folder(trial) for trial in planned}
    found = sorted(path.parent.name for path in (sweep / "trials").glob("*/trial.json"))
    return [f"trials/{name} is not in the plan and was left out" for name in found if name not in expected]
