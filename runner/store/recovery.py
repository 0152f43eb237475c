"""Remove unfinished files of a dead sweep from a sweep's folder, before a sweep continues there."""

from __future__ import annotations

import json
from pathlib import Path

from runner.store.locks import remove_unlocked
from runner.store.sweep_folder import SweepFolder


def clean_partial_files(sweep: SweepFolder) -> list[str]:
    """Remove unfinished files, dead partners and incomplete records, so that the records count as missing.

    The sweep must be the only one in its folder. Each record is a JSON object, so an incomplete one does not end with a
    brace. Trial files are therefore not read completely.

    Returns:
        The records that were removed, relative to the folder.
    """
    folder = sweep.path
    remove_unlocked(sweep.trials.glob("partner-*"))
    remove_unlocked(sweep.trials.glob("service-*"))
    for pattern in (".plan.json.*", ".peaks.json.*", "predictions/.*.json.*", "*/*/.*.json.*"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    broken = [path for path in folder.glob("trials/*/trial.json") if not _is_complete(path)]
    broken += [path for path in folder.glob("prepared/*/prepared.json") if not _is_complete(path)]
    for path in folder.glob("predictions/*.json"):
        if not _is_complete(path):  # the predictions are written when the job is prepared again
            broken += [path, *filter(Path.exists, [sweep.prepared(path.stem)])]
    broken += [path for path in (sweep.plan, sweep.peaks) if path.exists() and not _is_json(path)]
    for path in broken:
        path.unlink(missing_ok=True)
    return sorted({path.relative_to(folder).as_posix() for path in broken})


def clear_failed(sweep: SweepFolder) -> None:
    """Remove the records of failed trials and failed preparations, so that they count as missing."""
    for path in [*sweep.path.glob("trials/*/trial.json"), *sweep.path.glob("prepared/*/prepared.json")]:
        if not _is_json(path) or json.loads(path.read_text())["status"] != "ok":
            path.unlink()


def _is_complete(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return file.read() == b"}"


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text()), dict)
    except ValueError:
        return False
