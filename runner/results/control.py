"""What the control found: how a sweep's predictions compare with transformers' own (runner/sweep/control)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.results.json_files import read_json
from runner.store.sweep_folder import prepared_file


def control_of(sweep: Path, plan: Mapping[str, Any]) -> dict[str, Any] | None:
    """Sum up what was noted of the jobs' preparing; None for a sweep of before there was a control.

    Returns:
        asked: texts that were to be compared with, 0 where that was switched off.
        compared: jobs whose own predictions, or their model's, equal transformers' own.
        texts, largest_difference: of these, the most and the largest.
        not_compared: jobs by the reason why they were not compared; a job that could not be prepared is none of them.
    """
    if plan.get("control_texts") is None:
        return None
    found: dict[str, Any] = {"asked": plan["control_texts"], "compared": 0, "texts": 0, "largest_difference": None}
    reasons: dict[str, list[str]] = {}
    for key in dict.fromkeys(job.get("measured_as", job["job"]) for job in plan["jobs"]):
        note = _note(sweep, key)
        if note is None or note.get("status") != "ok":
            continue
        control = note.get("control")
        if control is None or control["reason"] is not None:
            reason = control["reason"] if control else "it was switched off when they were prepared"
            reasons.setdefault(reason, []).append(key)
            continue
        found["compared"] += 1
        found["texts"] = max(found["texts"], control["texts"])
        found["largest_difference"] = max(found["largest_difference"] or 0.0, control["largest_difference"])
    return found | {"not_compared": reasons}


def _note(sweep: Path, job: str) -> dict[str, Any] | None:
    try:
        note = read_json(prepared_file(sweep, job))
    except (OSError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) else None
