"""Measure a job once: a trial. Whatever happens, a file says so."""

from __future__ import annotations

import json
import shutil
import time
import traceback
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.config.job_file import read_job
from runner.config.schema import Config
from runner.errors import MachineError, stop_before, storage_error
from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.isolation.choose import make_box, memory_bytes
from runner.isolation.exclusive import lock_cores
from runner.machine.provenance import code_version, lock_sha256
from runner.machine.topology import choose_cpus
from runner.results.plan_record import TrialSpec, current_plan
from runner.store.sweep_folder import SCHEMA, SweepFolder
from runner.sweep.cluster.units import this_node
from runner.sweep.partner import Partner, PartnerFailedError, open_partner
from runner.sweep.peaks import Peaks, measured_peaks
from runner.sweep.prepared import PreparedJob, keep_log, names, prepare_job, read_prepared
from runner.sweep.rates import impossible_rate, rates, wrong_precision
from runner.sweep.slots.slot import slots_beside, this_slot


def run_trial(sweep: SweepFolder, name: str) -> str:
    """Measure once, in a fresh box, and write the trial's file.

    Everything that decides what is measured is read from the sweep's folder, wherever this runs.

    Args:
        sweep: the sweep's folder, with the plan and the job's file.
        name: of a planned trial.

    Returns:
        The status: ok, oom, timeout, crashed, unfair, wrong or prepare-failed.

    Raises:
        UserError: if the plan has no such trial, or the job's file cannot be read.
        MachineError: if the engine, the disk or a core has gone: then there is no file, and the trial is still to do.
    """
    plan = current_plan(sweep)
    spec = plan.trial(name)
    cfg = read_job(sweep, spec.job)
    sweep.trial_folder(name).mkdir(parents=True, exist_ok=True)
    row = _identity(cfg, spec, plan.sweep)
    cpus = choose_cpus(cfg.threads)
    with lock_cores(cpus, sweep.path):
        row |= _attempt(cfg, spec, cpus, sweep)
    sweep.write(sweep.trial(name), json.dumps(row))
    return str(row["status"])


def _attempt(cfg: Config, spec: TrialSpec, cpus: list[int], sweep: SweepFolder) -> dict[str, Any]:
    """Return what came of measuring, if need be that it crashed."""
    row: dict[str, Any] = {"started_at": datetime.now(UTC).isoformat(timespec="milliseconds")}
    began = time.monotonic()
    try:
        row |= _measure(cfg, spec, cpus, sweep)
    except MachineError:
        raise
    except Exception as failure:
        if other := stop_before(failure) or storage_error(failure):
            raise other from None
        log = keep_log(traceback.format_exc(), sweep.trial_folder(spec.name), sweep)
        row |= {"status": "crashed", "error": f"{type(failure).__name__}: {failure}", "log": log}
    return row | {"wall_seconds": time.monotonic() - began}


def _identity(cfg: Config, spec: TrialSpec, sweep_name: str) -> dict[str, Any]:
    """Return what a trial is, whatever comes of it."""
    return {
        "schema": SCHEMA,
        "sweep": sweep_name,
        **names(cfg),
        "batch_size": cfg.workload.batch_size,
        "padding": cfg.workload.padding.value,
        "max_length": cfg.workload.max_length,
        "bucket": cfg.workload.bucket,
        "threads": cfg.threads,
        "isolation": cfg.isolation.kind.value,
        "seed": cfg.seed,
        **spec.columns(),
        "baseline_job": spec.baseline,
        "node": this_node(),
        "slot": this_slot(),
        "beside": slots_beside(),
        "code_version": code_version(),
        "lock_sha256": lock_sha256(),
        "status": "crashed",
        "error": None,
        "log": None,
    }


def _measure(cfg: Config, spec: TrialSpec, cpus: list[int], sweep: SweepFolder) -> dict[str, Any]:
    """Return status, figures and provenance."""
    ready = read_prepared(sweep, spec.job) or prepare_job(cfg, spec.job, sweep, cpus[:1])
    if ready is None or ready.status != "ok":
        failed = {"status": ready.status, "error": ready.error, "log": ready.log} if ready else {}
        return {"status": "prepare-failed"} | failed
    box = make_box(cfg.isolation)
    made: dict[str, Any] = {
        "image_id": box.image_id,
        "base_id": box.base_id,
        "artifact": ready.artifact,
        "artifact_format": ready.artifact_format,
        "disk_bytes": ready.disk_bytes,
        "compressed_bytes": ready.compressed_bytes,
        "masked": ready.masked,
        "precision": ready.precision,
        "int8_weight_bits": ready.int8_weight_bits,
        "plugins": ready.plugins,
    }
    began = time.monotonic()
    partner = _partner(cfg, spec, box, cpus, sweep)
    made["partner_start_seconds"] = time.monotonic() - began
    measured = _run_box(box, _order(cfg, box, cpus, ready), partner, sweep, sweep.trial_folder(spec.name))
    return made | _checked(measured, cfg, ready, box, cpus, sweep)


def _partner(cfg: Config, spec: TrialSpec, box: Box, cpus: list[int], sweep: SweepFolder) -> Partner | None:
    """Return the round's partner, open and ready; None where the job has no baseline, or that one does not run.

    Nor do several threads take turns: an engine's idle threads go on spinning for tens of milliseconds after a call
    (ONNX Runtime, OpenMP), which would be in the other's turn. Then the latencies themselves are compared.
    """
    ready = read_prepared(sweep, spec.baseline) if spec.baseline else None
    if ready is None or ready.status != "ok" or cfg.threads > 1:
        return None
    try:
        name = f"{spec.unit} on {cpus}"
        return open_partner(name, make_box(cfg.isolation), _order(cfg, box, cpus, ready), sweep.trials)
    except PartnerFailedError:
        return None  # the baseline's own trial says why


def _order(cfg: Config, box: Box, cpus: list[int], ready: PreparedJob) -> BoxOrder:
    """Return the order of a box for what is ready, less its output."""
    limit = box.memory_limit(memory_bytes(cfg.isolation.memory))
    request = {
        "engine": ready.engine,
        "plugin": ready.plugin_module,
        "threads": cfg.threads,
        "cpus": cpus,
        "memory_bytes": limit,
        "measure": asdict(cfg.measure),
    }
    return BoxOrder(
        module="runner.trial",
        request=request,
        inputs={"artifact": Path(ready.artifact_path), "inputs": Path(ready.inputs_path)},
        output=Path(),
        cpus=cpus,
        memory_bytes=limit,
        pids=cfg.isolation.pids,
        timeout_seconds=cfg.isolation.timeout_seconds,
        plugin=Path(ready.plugin_path) if ready.plugin_path else None,
    )


def _run_box(box: Box, order: BoxOrder, partner: Partner | None, sweep: SweepFolder, folder: Path) -> dict[str, Any]:
    """Run the trial in its box, and read what it left."""
    output = folder / "box"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    session = partner.session() if partner else None
    inputs = order.inputs | ({"partner": partner.folder} if partner else {})
    began = time.monotonic()
    end = box.run(replace(order, request=order.request | {"session": session}, inputs=inputs, output=output))
    spent = {"box_seconds": time.monotonic() - began}
    result = output / "measured.json"
    measured: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
    shutil.rmtree(output)
    status = _status(end, measured)
    if status == "crashed":
        end.check_disk(folder)
    if partner and session is not None:
        measured["partner"] = {"latency_seconds": partner.latencies(session)}
    unfair = measured.pop("unfair", None)
    if status == "ok":
        return measured | spent | {"status": status}
    error = unfair if status == "unfair" else end.reason()
    return measured | spent | {"status": status, "error": error, "log": keep_log(end.log, folder, sweep)}


def _checked(
    measured: dict[str, Any], cfg: Config, ready: PreparedJob, box: Box, cpus: list[int], sweep: SweepFolder
) -> dict[str, Any]:
    """Add how much was computed; a trial that computed otherwise than asked, or faster than can be, is unfair."""
    if measured["status"] != "ok":
        return measured
    peaks = _peaks(cfg, box, cpus, sweep)
    figures = rates(ready.flops, measured["latency_mean_seconds"], ready.precision, peaks)
    rate = figures["padded_flops_per_second"]
    unfair = wrong_precision(cfg.technique.precision, ready.precision)
    if unfair is None and impossible_rate(rate, ready.precision, peaks):
        peaks = measured_peaks(Path(cfg.store), box, cpus, fresh=True)  # it may have been measured on a busy machine
        unfair = impossible_rate(rate, ready.precision, peaks)
    return measured | figures | ({"status": "unfair", "error": unfair} if unfair else {})


def _peaks(cfg: Config, box: Box, cpus: list[int], sweep: SweepFolder) -> Peaks:
    """Return this machine's peaks: those that the sweep noted, or on a cluster's node its own."""
    if this_node() and cfg.measure.peaks:
        return measured_peaks(Path(cfg.store), box, cpus)
    known = json.loads(sweep.peaks.read_text()) if sweep.peaks.exists() else {}
    return Peaks(**known.get(str(cfg.threads), {"threads": cfg.threads}))


def _status(end: BoxEnd, measured: dict[str, Any]) -> str:
    """Name how a trial went."""
    if end.timed_out:
        return "timeout"
    if end.out_of_memory:  # a child's end too: what was measured beside it would be of another program
        return "oom"
    if end.exit_code or not measured:
        return "crashed"
    return "unfair" if measured["unfair"] else "ok"
