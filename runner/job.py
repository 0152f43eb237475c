"""Prepare a job, or measure it once. Whatever happens, a file says so."""

from __future__ import annotations

import json
import shutil
import time
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner import tasks
from runner.artifacts import write_whole
from runner.config import Config
from runner.errors import UserError
from runner.isolation import Box, BoxEnd, BoxOrder, is_stopping
from runner.isolation.choose import make_box, memory_bytes
from runner.isolation.cpus import choose_cpus
from runner.layout import SCHEMA, prepared_file
from runner.prepare import Prepared, PrepareError, prepare
from runner.progress import announce, say
from runner.provenance import code_version, lock_sha256


def prepare_job(cfg: Config, job: str, sweep: Path, cpus: list[int]) -> None:
    """Prepare, write the predictions, and note how it went beside them; a failure is a note, too.

    Args:
        cfg: the job, checked.
        job: its key.
        sweep: the sweep's folder.
        cpus: those that its steps may use.
    """
    folder = prepared_file(sweep, job).parent
    folder.mkdir(parents=True, exist_ok=True)
    error, log = None, None
    try:
        prepared = prepare(cfg, make_box(cfg.isolation), cpus, announce)
        _write_predictions(cfg, job, prepared, sweep)
    except PrepareError as failure:
        error, log = str(failure), failure.log
    except UserError as failure:
        error, log = str(failure), str(failure)
    except Exception as failure:
        error, log = f"{type(failure).__name__}: {failure}", traceback.format_exc()
    if is_stopping():
        return  # killed with us: that says nothing about the job
    status = "prepare-failed" if error else "ok"
    note = {"status": status, "error": error, "log": _keep_log(log, folder, sweep)}
    write_whole(folder / "prepared.json", json.dumps(note))
    if error:
        say(f"{cfg.model.name} {cfg.technique.name}: {status}: {error}")


def run_trial(cfg: Config, job: str, sweep_name: str, sweep: Path, folder: Path) -> str:
    """Measure once, in a fresh box, and write the trial's file.

    Args:
        cfg: the job, checked, and the trial's place in the sweep.
        job: its key.
        sweep_name: the grid's name.
        sweep: the sweep's folder.
        folder: the trial's own folder, below it.

    Returns:
        The status: ok, oom, timeout, crashed, unfair or prepare-failed.
    """
    row = _identity(cfg, job, sweep_name)
    began = time.monotonic()
    try:
        row |= _measure(cfg, job, sweep, folder)
    except Exception as failure:
        log = _keep_log(traceback.format_exc(), folder, sweep)
        row |= {"status": "crashed", "error": f"{type(failure).__name__}: {failure}", "log": log}
    row["wall_seconds"] = time.monotonic() - began
    write_whole(folder / "trial.json", json.dumps(row))
    return str(row["status"])


def _names(cfg: Config) -> dict[str, str]:
    """Return what tells a job from others to a reader."""
    return {
        "model": cfg.model.name,
        "family": cfg.model.family,
        "weights": cfg.model.weights.value,
        "technique": cfg.technique.name,
        "task": cfg.task.name,
        "workload": cfg.workload.name,
    }


def _identity(cfg: Config, job: str, sweep_name: str) -> dict[str, Any]:
    """Return what a trial is, whatever comes of it."""
    return {
        "schema": SCHEMA,
        "sweep": sweep_name,
        "job": job,
        **_names(cfg),
        "batch_size": cfg.workload.batch_size,
        "padding": cfg.workload.padding.value,
        "max_length": cfg.workload.max_length,
        "threads": cfg.threads,
        "isolation": cfg.isolation.kind.value,
        "seed": cfg.seed,
        "round": cfg.round,
        "position": cfg.position,
        "role": cfg.role.value,
        "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "code_version": code_version(),
        "lock_sha256": lock_sha256(),
        "status": "crashed",
        "error": None,
        "log": None,
    }


def _measure(cfg: Config, job: str, sweep: Path, folder: Path) -> dict[str, Any]:
    """Return status, figures and provenance."""
    cpus = choose_cpus(cfg.threads)
    if not prepared_file(sweep, job).exists():
        prepare_job(cfg, job, sweep, cpus[:1])
    readiness = json.loads(prepared_file(sweep, job).read_text())
    if readiness["status"] != "ok":
        return dict(readiness)
    box = make_box(cfg.isolation)
    try:
        prepared = prepare(cfg, box, cpus[:1], announce)
    except PrepareError as failure:
        return {"status": "prepare-failed", "error": str(failure), "log": _keep_log(failure.log, folder, sweep)}
    made = {
        "image_id": box.image_id,
        "base_id": box.base_id,
        "artifact": prepared.artifact.content,
        "artifact_format": prepared.artifact.format,
        "disk_bytes": prepared.artifact.disk_bytes,
    }
    return made | _run_box(cfg, box, cpus, prepared, sweep, folder)


def _run_box(cfg: Config, box: Box, cpus: list[int], prepared: Prepared, sweep: Path, folder: Path) -> dict[str, Any]:
    """Run the trial in its box, and read what it left."""
    output = folder / "box"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    limit = box.memory_limit(memory_bytes(cfg.isolation.memory))
    request = {
        "engine": cfg.technique.engine,
        "threads": cfg.threads,
        "cpus": cpus,
        "memory_bytes": limit,
        "measure": asdict(cfg.measure),
    }
    order = BoxOrder(
        module="runner.trial",
        request=request,
        inputs={"artifact": prepared.artifact.path, "inputs": prepared.inputs.path},
        output=output,
        cpus=cpus,
        memory_bytes=limit,
        pids=cfg.isolation.pids,
        timeout_seconds=cfg.isolation.timeout_seconds,
    )
    end = box.run(order)
    result = output / "measured.json"
    measured: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    shutil.rmtree(output)
    status = _status(end, measured)
    unfair = measured.pop("unfair", None)
    if status == "ok":
        return measured | {"status": status}
    error = unfair if status == "unfair" else end.reason()
    return measured | {"status": status, "error": error, "log": _keep_log(end.log, folder, sweep)}


def _status(end: BoxEnd, measured: dict[str, Any]) -> str:
    """Name how a trial went."""
    if end.timed_out:
        return "timeout"
    if end.out_of_memory and not measured:
        return "oom"
    if end.exit_code or not measured:
        return "crashed"
    return "unfair" if measured["unfair"] else "ok"


def _write_predictions(cfg: Config, job: str, prepared: Prepared, sweep: Path) -> None:
    """Copy texts, labels and logits into the sweep, so that it can be read without the store."""
    examples = tasks.read(prepared.texts.path, "test")
    record = {
        "schema": SCHEMA,
        "artifact": prepared.artifact.content,
        **_names(cfg),
        "jobs": [job],
        "labels": tasks.read_labels(prepared.texts.path),
        "texts": [example.text for example in examples],
        "label": [example.label for example in examples],
        "logits": prepared.logits,
        "lineage": prepared.artifact.lineage,
    }
    (sweep / "predictions").mkdir(exist_ok=True)
    write_whole(sweep / "predictions" / f"{job}.json", json.dumps(record))


def _keep_log(text: str | None, folder: Path, sweep: Path) -> str | None:
    """Write a log beside the file that names it; return its path within the sweep."""
    if text is None:
        return None
    path = folder / "log.txt"
    path.write_text(text)
    return path.relative_to(sweep).as_posix()
