"""Find the job that a user means, and what the sweep recorded about it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.paths import MAKE, RETRY_FAILED
from runner.config.task_kinds import SINGLE_LABEL
from runner.errors import UserError
from runner.results.json_files import read_record
from runner.results.lineage import labels_of_head
from runner.results.records.prepared import PreparedJob
from runner.results.tables import Row, Tables
from runner.store.sweep_folder import SweepFolder

_CLOSEST = 5


@dataclass(frozen=True)
class Variant:
    """A measured job.

    Attributes:
        row: its row of the summary.
        baseline: the summary row of its baseline. The baseline itself has its own row here. None without a baseline.
        trial: one of its trials that enter the medians, as a row of the results.
        engine: the name of the engine that runs it.
        stored_at: the folder of its artifact when it was measured.
        lineage: the records of the artifact's steps, in order.
        labels: the names of the labels, in the order of the logits. Vectors have none.
        kind: the kind of its task; see `runner.config.task_kinds`.
        pairs: whether its inputs are pairs of texts.
    """

    row: Row
    baseline: Row | None
    trial: Row
    engine: str
    stored_at: str
    lineage: list[dict[str, Any]]
    labels: list[str]
    kind: str
    pairs: bool

    @property
    def name(self) -> str:
        """Return the names of model and technique, on one line."""
        return " ".join(f"{self.row['model']} · {self.row['technique']}".split())


def find_variant(tables: Tables, asked: str) -> Variant:
    """Return the job that a user means.

    Args:
        tables: the tables of the sweep.
        asked: a job's key, or a technique or `model/technique` that only one job has.

    Raises:
        UserError: if no job or several jobs match, if the job was never measured, or if the sweep lacks a record.
    """
    rows = tables.summary.to_pylist()
    row = choose(rows, asked, str(tables.folder))
    trials = [t for t in tables.results.to_pylist() if t["job"] == row["job"] and t["status"] == "ok"]
    if row["latency_p50_seconds"] is None or not trials:
        reason = f" ({row['error']})" if row["error"] else ""
        raise UserError(
            f"{row['job']} was not measured: its status is {row['status']}{reason}. Measure it first: {MAKE} sweep "
            f"with the same grid, in this folder, {tables.folder}, and {RETRY_FAILED}."
        )
    kind = (tables.manifest.get("kinds") or {}).get(row["task"], SINGLE_LABEL)
    note = SweepFolder(tables.folder).prepared(row["job"])
    lineage = (tables.manifest.get("lineage") or {}).get(row["artifact"])
    labels = (tables.manifest.get("labels") or {}).get(row["task"])
    if not note.is_file() or not lineage or labels is None:
        raise UserError(
            f"{tables.folder} does not record how {row['job']} was made and evaluated. The sweep is from an older "
            f"Pinbox, or a part of its folder was not copied ({note.relative_to(tables.folder)}, manifest.json). "
            f"Run its grid again with {MAKE} sweep."
        )
    prepared = read_record(note, PreparedJob)
    return Variant(
        row=row,
        baseline=next((other for other in rows if other["job"] == row["baseline_job"]), None),
        trial=next((trial for trial in trials if trial["included"] is not False), trials[0]),
        engine=prepared.engine,
        stored_at=prepared.artifact_path,
        lineage=lineage,
        labels=labels_of_head(lineage) or labels,  # if the task has no labels, each model has its own
        kind=kind,
        pairs=row["task"] in (tables.manifest.get("pairs") or []),
    )


def choose(rows: Sequence[Row], asked: str, sweep: str) -> Row:
    """Return the only row that matches. The arguments are those of `find_variant`.

    Raises:
        UserError: if several rows match, or none; the message names the candidates or the closest rows.
    """
    found = [row for row in rows if row["job"] == asked] or [row for row in rows if asked in _names(row)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"VARIANT is '{asked}', but {len(found)} jobs of {sweep} match it. Name one of them by its key: "
            f"{', '.join(row['job'] for row in found)}."
        )
    names = dict.fromkeys(name for row in rows for name in (*_names(row), row["job"]))
    close = difflib.get_close_matches(asked, names, n=_CLOSEST, cutoff=0.5)
    hint = f"Closest: {', '.join(close)}." if close else f"It has: {', '.join(row['job'] for row in rows)}."
    raise UserError(f"VARIANT is '{asked}', but {sweep} has no such job, technique or model/technique. {hint}")


def _names(row: Row) -> tuple[str, str]:
    return row["technique"], f"{row['model']}/{row['technique']}"
