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


def write_diff(found: Diff, folder: Path, fail_on: str) -> None:
    """Write the four files into a folder, each of them atomically.

    Raises:
        UserError: if the folder cannot be written.
    """
    texts = {
        "diff.html": render_html(found, fail_on),
        "diff.md": render_markdown(found, fail_on),
        "diff.json": json.dumps(_record(found, fail_on), indent=1, ensure_ascii=False) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            atomic_write(folder / name, text)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".diff.") as work:
            pq.write_table(diff_table(found), Path(work) / "diff.parquet")
            (Path(work) / "diff.parquet").rename(folder / "diff.parquet")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}. Name another folder with {OUT}") from None


def diff_table(found: Diff) -> Any:
    """Return the changes as a table: one row per job and measure."""
    names = {"sweep_a": found.a.manifest.get("sweep"), "sweep_b": found.b.manifest.get("sweep")}
    rows = [names | row for one in found.compared for row in _rows(one)]
    return pa.Table.from_pylist(rows, schema=DIFF)


def _rows(one: Compared) -> list[dict[str, Any]]:
    a, b = one.pair.a.row, one.pair.b.row
    job = {
        "job_a": a["job"],
        "job_b": b["job"],
        **{name: b[name] for name in _SHARED},
        "threads_a": a["threads"],
        "threads_b": b["threads"],
        "same_artifact": one.pair.same_artifact,
    }
    return [job | _figures(change) for change in one.changes]


def _figures(change: Change) -> dict[str, Any]:
    texts: dict[str, Any] = {
        "unit": change.measure.unit or None,
        "direction": change.direction or None,
        "not_evaluated": change.not_evaluated or None,
        "note": change.note or None,
    }
    figures = {name: value for name, value in vars(change).items() if name in DIFF.names}
    return figures | texts | {"measure": change.measure.name}


def _record(found: Diff, fail_on: str) -> dict[str, Any]:
    return {
        "schema": VERSION,
        "a": str(found.a.folder),
        "b": str(found.b.folder),
        "exit_code": exit_code(found, fail_on),
        "fail_on": fail_on,
        "conclusion": messages.conclusion(found, fail_on, exit_code(found, fail_on)),
        "rule": RULE,
        "warnings": found.warnings,
        "environment": [asdict(one) for one in found.environment],
        "really_different": [
            {
                "job_a": one.pair.a.row["job"],
                "job_b": one.pair.b.row["job"],
                "changes": [*map(messages.sentence, one.real)],
            }
            for one in found.real
        ],
        "only_a": [side.row["job"] for side in found.only_a],
        "only_b": [side.row["job"] for side in found.only_b],
        "other_inputs": [pair.b.row["job"] for pair in found.other_inputs],
        "notes": messages.notes(found),
        "compared": diff_table(found).to_pylist(),
    }
