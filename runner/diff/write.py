"""Write a diff as files: diff.html, diff.md, diff.json and diff.parquet."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runner.config.paths import OUT
from runner.diff import messages
from runner.diff.change import RULE, Change
from runner.diff.compare import Compared, Diff, exit_code
from runner.diff.html import render_html
from runner.diff.markdown import render_markdown
from runner.diff.schema import DIFF, VERSION
from runner.errors import UserError
from runner.store.artifacts import atomic_write

_SHARED = ("model", "technique", "task", "workload", "isolation")


def write_diff(comparison: Diff, folder: Path, fail_on: str) -> None:
    """Write the four files into a folder, each of them atomically.

    Raises:
        UserError: if the folder cannot be written.
    """
    texts = {
        "diff.html": render_html(comparison, fail_on),
        "diff.md": render_markdown(comparison, fail_on),
        "diff.json": json.dumps(_record(comparison, fail_on), indent=1, ensure_ascii=False) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            atomic_write(folder / name, text)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".diff.") as work:
            pq.write_table(diff_table(comparison), Path(work) / "diff.parquet")
            (Path(work) / "diff.parquet").rename(folder / "diff.parquet")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}. Name another folder with {OUT}") from None


def diff_table(comparison: Diff) -> Any:
    """Return the changes as a table: one row per job and measure."""
    names = {"sweep_a": comparison.a.manifest.get("sweep"), "sweep_b": comparison.b.manifest.get("sweep")}
    rows = [names | row for job in comparison.compared for row in _rows(job)]
    return pa.Table.from_pylist(rows, schema=DIFF)


def _rows(job: Compared) -> list[dict[str, Any]]:
    a, b = job.pair.a.row, job.pair.b.row
    shared = {
        "job_a": a["job"],
        "job_b": b["job"],
        **{name: b[name] for name in _SHARED},
        "threads_a": a["threads"],
        "threads_b": b["threads"],
        "same_artifact": job.pair.same_artifact,
    }
    return [shared | _figures(change) for change in job.changes]


def _figures(change: Change) -> dict[str, Any]:
    texts: dict[str, Any] = {
        "score": change.score.column if change.score else None,
        "unit": change.measure.unit or None,
        "direction": change.direction or None,
        "not_evaluated": change.not_evaluated or None,
        "note": change.note or None,
    }
    figures = {name: value for name, value in vars(change).items() if name in DIFF.names}
    return figures | texts | {"measure": change.measure.name}


def _record(comparison: Diff, fail_on: str) -> dict[str, Any]:
    return {
        "schema": VERSION,
        "a": str(comparison.a.folder),
        "b": str(comparison.b.folder),
        "exit_code": exit_code(comparison, fail_on),
        "fail_on": fail_on,
        "conclusion": messages.conclusion(comparison, fail_on, exit_code(comparison, fail_on)),
        "rule": RULE,
        "warnings": comparison.warnings,
        "environment": [asdict(difference) for difference in comparison.environment],
        "really_different": [
            {
                "job_a": job.pair.a.row["job"],
                "job_b": job.pair.b.row["job"],
                "changes": [*map(messages.sentence, job.real)],
            }
            for job in comparison.real
        ],
        "only_a": [side.row["job"] for side in comparison.only_a],
        "only_b": [side.row["job"] for side in comparison.only_b],
        "other_inputs": [pair.b.row["job"] for pair in comparison.other_inputs],
        "notes": messages.notes(comparison),
        "compared": diff_table(comparison).to_pylist(),
    }
