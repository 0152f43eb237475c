"""From the files of a sweep to its tables: a pure function of files, which can be run again at any time.

python -m runner.results SWEEP
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from runner.results.control import control_of
from runner.results.cores import parallel_map
from runner.results.cpus import apart_by_cpu, cpu_of_units, environment_of_nodes, jobs_measured_as, nodes_of
from runner.results.metrics import code_of, with_metrics
from runner.results.predictions import Evaluation, predictions_parts, read_evaluations
from runner.results.records.plan import PlanRecord, read_plan
from runner.results.rounds import EVALUATED_BY, evaluate
from runner.results.schema import RESULTS, VERSION
from runner.results.summary import summarize
from runner.results.tables import LONG, LongTable, Tables, write_tables, writing
from runner.results.trials import read_trials
from runner.store.sweep_folder import SweepFolder

_TRIALS_AT_ONCE = 500


def collect(sweep: Path) -> Tables:
    """Read the plan, trials and predictions of a sweep, write its tables beside them, and return them.

    Rows come in the order of the plan. A planned trial without a file has no row in results; the
    summary counts it as missing.

    Args:
        sweep: the sweep folder, with plan.json.

    Raises:
        UserError: if there is no readable plan.
    """
    folder = SweepFolder(sweep)
    planned = read_plan(folder)
    plan = apart_by_cpu(planned, cpu_of_units(sweep))
    results = _evaluated(_read_trials(sweep, plan), plan.measure)
    evaluations, warnings = read_evaluations(sweep)
    evaluations, unknown = with_metrics(evaluations, plan.metrics)
    keys_of = jobs_measured_as(plan)
    evaluations = [replace(e, jobs=[key for job in e.jobs for key in keys_of.get(job, [job])]) for e in evaluations]
    jobs = list(plan.columns_of_jobs().values())
    with writing(sweep, "predictions") as append:
        for part in predictions_parts(jobs, evaluations):
            append(part)
    tables = Tables(
        folder=sweep,
        results=results,
        summary=summarize(
            jobs, Counter(trial.job for trial in plan.trials), results, evaluations, plan.quality.fraction
        ),
        **{name: LongTable(name, folder.table(name)) for name in LONG},
        manifest=_manifest(sweep, plan, evaluations, [*warnings, *unknown, *_unplanned(folder, planned)]),
    )
    write_tables(tables)
    return tables


def _read_trials(sweep: Path, plan: PlanRecord) -> Any:
    """Return the rows of results; write the long tables samples, memory and load while the trials are read."""
    identity = {"sweep": plan.sweep, "seed": plan.seed}
    jobs = {key: identity | columns for key, columns in plan.columns_of_jobs().items()}
    planned = [jobs[trial.job] | trial.columns() for trial in plan.trials]
    results = [RESULTS.empty_table()]
    with (
        writing(sweep, "samples") as append_samples,
        writing(sweep, "memory") as append_memory,
        writing(sweep, "load") as append_load,
    ):
        for read in parallel_map(partial(read_trials, sweep), planned, _TRIALS_AT_ONCE):
            results.append(read.results)
            append_samples(read.samples)
            append_memory(read.memory)
            append_load(read.load)
    return pa.concat_tables(results)


def _evaluated(results: Any, measure: Mapping[str, Any]) -> Any:
    """Return results with the columns that need all trials: which rounds are included, and the ratios in each."""
    evaluated = evaluate(results.select(EVALUATED_BY).to_pylist(), measure["limits"], measure["rounds"])
    for name in evaluated[0] if evaluated else ():
        field = RESULTS.field(name)
        values = pa.array([columns[name] for columns in evaluated], field.type)
        results = results.set_column(RESULTS.get_field_index(name), field, values)
    return results


def _manifest(
    sweep: Path, plan: PlanRecord, evaluations: Sequence[Evaluation], warnings: Sequence[str]
) -> dict[str, Any]:
    """Return what the tables do not say: the grid, the environment, the labels in order, the outputs without a label,
    the lineage of each artifact, and warnings."""
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
    task_of = {job.job: job.task for job in plan.jobs}
    evaluated = [(job, evaluation) for evaluation in evaluations for job in evaluation.jobs]
    # A job may have left the plan.
    by_task = {task_of[job]: evaluation for job, evaluation in evaluated if task_of.get(job)}
    others = {task: dict[str, None]() for task in by_task}  # in the order in which models have them
    for job, evaluation in evaluated:
        if task_of.get(job):
            others[task_of[job]] |= dict.fromkeys(evaluation.names[len(evaluation.task_names) :])
    return {
        "schema": VERSION,
        **{key: getattr(plan, key) for key in copied},
        "quality": asdict(plan.quality),
        "environment": environment_of_nodes(plan.environment, nodes_of(sweep)),
        "nodes": nodes_of(sweep),
        "metrics": code_of(plan.metrics),
        "labels": {task: by_task[task].task_names for task in sorted(by_task)},
        "other_outputs": {task: list(names) for task, names in sorted(others.items()) if names},
        "kinds": {task: by_task[task].kind for task in sorted(by_task)},
        "pairs": [task for task in sorted(by_task) if by_task[task].pairs],
        "peaks": _peaks(sweep),
        "control": control_of(sweep, plan),
        "lineage": {e.artifact: e.lineage for e in sorted(evaluations, key=lambda e: e.artifact)},
        "warnings": list(warnings),
    }


def _peaks(sweep: Path) -> Any:
    path = SweepFolder(sweep).peaks
    return json.loads(path.read_text()) if path.exists() else None


def _unplanned(folder: SweepFolder, plan: PlanRecord) -> list[str]:
    """Say which trials were left out because the plan does not hold them."""
    names = {path.name for path in folder.trials.iterdir()} if folder.trials.is_dir() else set[str]()
    unplanned = [name for name in sorted(names - plan.place_of.keys()) if folder.trial(name).exists()]
    if len(unplanned) < 2:
        return [f"trials/{name} is not in the plan and was left out" for name in unplanned]
    return [
        f"{len(unplanned)} trials, the first of them trials/{unplanned[0]}, are not in the plan and were left out. "
        "They count again when a sweep into this folder names their jobs."
    ]
