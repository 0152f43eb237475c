"""What the control says: how the predictions of a sweep compare with those of transformers (runner/sweep/control)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.results.json_files import read_record
from runner.results.records.plan import PlanRecord
from runner.results.records.prepared import PreparedJob
from runner.store.sweep_folder import SweepFolder


def control_of(sweep: Path, plan: PlanRecord) -> dict[str, Any] | None:
    """Sum up how the control of each job went; return None for a sweep that has no control.

    Returns:
        asked: how many texts were to be compared; 0 if the control was switched off.
        compared: the number of jobs whose predictions, or whose model's, equal those of transformers.
        texts, largest_difference: the largest number of texts, and the largest difference, of any of these jobs.
        not_compared: the jobs that were not compared, by the reason. A job that could not be prepared is not in it.
    """
    if plan.control_texts is None:
        return None
    compared, texts = 0, 0
    largest: float | None = None
    reasons: dict[str, list[str]] = {}
    for key in dict.fromkeys(job.file_key for job in plan.jobs):
        prepared = _prepared(sweep, key)
        if prepared is None or prepared.status != "ok":
            continue
        control = prepared.control
        if control is None or control.reason is not None:
            reason = control.reason if control and control.reason else "it was switched off when they were prepared"
            reasons.setdefault(reason, []).append(key)
            continue
        compared += 1
        texts = max(texts, control.texts)
        largest = max(largest or 0.0, control.largest_difference or 0.0)
    figures = {"asked": plan.control_texts, "compared": compared, "texts": texts, "largest_difference": largest}
    return figures | {"not_compared": reasons}


def _prepared(sweep: Path, job: str) -> PreparedJob | None:
    try:
        return read_record(SweepFolder(sweep).prepared(job), PreparedJob)
    except (OSError, ValueError, RecursionError):
        return None
