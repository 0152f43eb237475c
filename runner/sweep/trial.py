"""Run a trial, which measures a job once, and write its result into a file, even if it fails."""

from __future__ import annotations

import json
import shutil
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from runner.config.job_file import read_job
from runner.config.schema import Config
from runner.errors import MachineError, stop_before, storage_error
from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.isolation.choose import make_box, memory_bytes
from runner.isolation.exclusive import lock_cores
from runner.machine.provenance import code_version, lock_sha256
from runner.machine.topology import choose_cpus
from runner.results.format import pluralize
from runner.results.json_files import read_record
from runner.results.records.measured import Measured, to_json
from runner.results.records.plan import Role, TrialSpec, current_plan
from runner.results.records.prepared import PreparedJob
from runner.results.records.trial import Status, TrialRecord
from runner.store.sweep_folder import SweepFolder
from runner.sweep.cluster.units import this_node
from runner.sweep.jobs import load_columns
from runner.sweep.load.measure import measure_capacity
from runner.sweep.partner import Partner, PartnerFailedError, close_partner, open_partner
from runner.sweep.peaks import Peaks, measured_peaks
from runner.sweep.prepared import prepare_job, read_prepared, write_log
from runner.sweep.rates import impossible_rate, rates, wrong_precision
from runner.sweep.slots.slot import slots_beside, this_slot


def run_trial(sweep: SweepFolder, name: str) -> str:
    """Measure a job once in a fresh box, and write the trial's file.

    The plan and the job's config are read from the sweep's folder. Where the trial runs does not change them.

    Args:
        sweep: the sweep's folder, which holds the plan and the job's file.
        name: the name of a planned trial.

    Returns:
        The status: ok, oom, timeout, crashed, unfair, wrong or prepare-failed.

    Raises:
        UserError: if the plan has no such trial, or if the job's file cannot be read.
        MachineError: if the engine, the disk or a core has gone. Then no file is written, and the trial must run again.
    """
    plan = current_plan(sweep)
    spec = plan.trial(name)
    cfg = read_job(sweep, spec.job)
    sweep.trial_folder(name).mkdir(parents=True, exist_ok=True)
    record = _new_record(cfg, spec, plan.sweep)
    cores = choose_cpus(cfg.cores)
    with lock_cores(cores, sweep.path):
        _attempt(record, cfg, spec, cores, sweep)
    sweep.write(sweep.trial(name), to_json(record))
    return record.status


def _attempt(record: TrialRecord, cfg: Config, spec: TrialSpec, cores: list[int], sweep: SweepFolder) -> None:
    """Measure the job. If measuring fails, the record gets the status `crashed`, the error and a log."""
    record.started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    began = time.monotonic()
    try:
        _measure(record, cfg, spec, cores, sweep)
    except MachineError:
        raise
    except Exception as failure:
        if other := stop_before(failure) or storage_error(failure):
            raise other from None
        record.status, record.error = "crashed", f"{type(failure).__name__}: {failure}"
        record.log = write_log(traceback.format_exc(), sweep.trial_folder(spec.name), sweep)
    record.wall_seconds = time.monotonic() - began


def _new_record(cfg: Config, spec: TrialSpec, sweep_name: str) -> TrialRecord:
    """Return the record of a trial that has not been run yet."""
    return TrialRecord(
        sweep=sweep_name,
        model=cfg.model.name,
        family=cfg.model.family,
        weights=cfg.model.weights.value,
        technique=cfg.technique.name,
        task=cfg.task.name,
        workload=cfg.workload.name,
        batch_size=cfg.workload.batch_size,
        padding=cfg.workload.padding.value,
        max_length=cfg.workload.max_length,
        bucket=cfg.workload.bucket,
        threads=cfg.threads,
        isolation=cfg.isolation.kind.value,
        seed=cfg.seed,
        **spec.columns(),
        baseline_job=spec.baseline,
        **(load_columns(cfg.load) if cfg.load.is_open else {}),
        status="crashed",
        node=this_node(),
        slot=this_slot(),
        beside=slots_beside(),
        lock_sha256=lock_sha256(),
        code_version=code_version(),
    )


def _measure(record: TrialRecord, cfg: Config, spec: TrialSpec, cores: list[int], sweep: SweepFolder) -> None:
    """Run the job in a box, and write the status, the measurements and the provenance into the record.

    Under an open load, the job then runs once more, as a service on these cores.
    """
    cpus = cores[-cfg.threads :]
    prepared = read_prepared(sweep, spec.job) or prepare_job(cfg, spec.job, sweep, cpus[:1])
    if prepared is None or prepared.status != "ok":
        record.status = "prepare-failed"
        if prepared is not None:
            record.status, record.error, record.log = prepared.status, prepared.error, prepared.log
        return
    record.add(prepared)
    box = make_box(cfg.isolation)
    record.image_id, record.base_id = box.image_id, box.base_id
    order = _order(cfg, box, cpus, prepared)
    if spec.role is Role.cold_start:
        order, partner = _cold(order, box, sweep.trial_folder(spec.name)), None
    else:
        began = time.monotonic()
        record.no_turns = _no_turns(cfg)
        partner = None if record.no_turns else _partner(cfg, spec, box, cpus, sweep)
        record.partner_start_seconds = time.monotonic() - began
    _run_box(record, box, order, partner, sweep, sweep.trial_folder(spec.name))
    if record.status == "ok":
        _check(record, prepared, cfg, box, cpus, sweep)
    if record.status == "ok" and cfg.load.is_open and not spec.is_alone:
        measure_capacity(record, box, order, cfg.load, cores, sweep.trials)


def _cold(order: BoxOrder, box: Box, folder: Path) -> BoxOrder:
    """Evict what the box of an order reads from the page cache, and return the order with as few calls as possible.

    Raises:
        RuntimeError: if that fails.
    """
    close_partner()  # pages that a process has mapped cannot be evicted
    with _empty_folder(folder / "box") as output:
        end = box.run(replace(order, module="runner.trial.evict", output=output))
    if end.exit_code:
        raise RuntimeError(f"the files of the box could not be evicted from the page cache: it {end.reason()}")
    few = {"batches": 1, "timed_seconds": 0.0, "warmup_seconds": 0.0}
    return replace(order, request=order.request | {"measure": order.request["measure"] | few})


@contextmanager
def _empty_folder(path: Path) -> Iterator[Path]:
    """Make an empty folder, which replaces an old one, and remove it in the end."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _no_turns(cfg: Config) -> str | None:
    """Return why the job's trials cannot take turns, or None if they can.

    A box that waits half of the time uses half of its quota. In turns, it would be throttled less than it is alone.
    """
    quota = cfg.isolation.cpus
    if quota is None or quota >= cfg.threads:
        return None
    return f"in turns, a box with a CPU quota of {quota:g} and {pluralize(cfg.threads, 'thread')} is throttled less"


def _partner(cfg: Config, spec: TrialSpec, box: Box, cpus: list[int], sweep: SweepFolder) -> Partner | None:
    """Return the open partner of the round. Return None if the job has no baseline, or if the baseline does not run."""
    baseline = read_prepared(sweep, spec.baseline) if spec.baseline else None
    if baseline is None or baseline.status != "ok":
        return None
    try:
        name = f"{spec.unit} on {cpus}"
        return open_partner(name, make_box(cfg.isolation), _order(cfg, box, cpus, baseline), sweep.trials)
    except PartnerFailedError:
        return None  # the baseline's own trial records the reason


def _order(cfg: Config, box: Box, cpus: list[int], prepared: PreparedJob) -> BoxOrder:
    """Return the order that runs a prepared job in a box. The caller sets the output folder."""
    limit = box.memory_limit(memory_bytes(cfg.isolation.memory))
    request = {
        "engine": prepared.engine,
        "plugin": prepared.plugin_module,
        "threads": cfg.threads,
        "cpus": cpus,
        "memory_bytes": limit,
        "quota_cpus": cfg.isolation.cpus,
        "measure": asdict(cfg.measure),
    }
    return BoxOrder(
        module="runner.trial",
        request=request,
        inputs={"artifact": Path(prepared.artifact_path), "inputs": Path(prepared.inputs_path)},
        output=Path(),
        cpus=cpus,
        memory_bytes=limit,
        quota_cpus=cfg.isolation.cpus,
        pids=cfg.isolation.pids,
        timeout_seconds=cfg.isolation.timeout_seconds,
        plugin=Path(prepared.plugin_path) if prepared.plugin_path else None,
    )


def _run_box(
    record: TrialRecord, box: Box, order: BoxOrder, partner: Partner | None, sweep: SweepFolder, folder: Path
) -> None:
    """Run the trial in its box, and write what the box measured into the record."""
    session = partner.session() if partner else None
    inputs = order.inputs | ({"partner": partner.folder} if partner else {})
    with _empty_folder(folder / "box") as output:
        began = time.monotonic()
        end = box.run(replace(order, request=order.request | {"session": session}, inputs=inputs, output=output))
        record.box_seconds = time.monotonic() - began
        result = output / "measured.json"
        measured = read_record(result, Measured) if result.exists() else None
    record.status = _status(end, measured)
    if record.status == "crashed":
        end.check_disk(folder)
    if measured:
        record.add(measured)
    if partner and session is not None:
        calls = partner.calls(session)
        record.partner_latency_seconds, record.partner_tokenize_seconds = calls.latency_seconds, calls.tokenize_seconds
    if record.status != "ok":
        record.error = measured.unfair if measured and record.status == "unfair" else end.reason()
        record.log = write_log(end.log, folder, sweep)


def _check(
    record: TrialRecord, prepared: PreparedJob, cfg: Config, box: Box, cpus: list[int], sweep: SweepFolder
) -> None:
    """Add the computed FLOPs to the record, and check that the measurement is plausible.

    A trial is unfair if its engine computed in another precision than the technique declares, or if it computed faster
    than the machine can.
    """
    peaks = _peaks(cfg, box, cpus, sweep)
    computed = rates(prepared.flops, record.engine_mean_seconds, prepared.precision, peaks)
    record.add(computed)
    rate = computed.padded_flops_per_second
    unfair = wrong_precision(cfg.technique.precision, prepared.precision)
    if unfair is None and impossible_rate(rate, prepared.precision, peaks):
        peaks = measured_peaks(Path(cfg.store), box, cpus, fresh=True)  # the machine may have been busy before
        unfair = impossible_rate(rate, prepared.precision, peaks)
    if unfair:
        record.status, record.error = "unfair", unfair


def _peaks(cfg: Config, box: Box, cpus: list[int], sweep: SweepFolder) -> Peaks:
    """Return the peaks of this machine from the sweep's folder. A node of a cluster measures its own."""
    if this_node() and cfg.measure.peaks:
        return measured_peaks(Path(cfg.store), box, cpus)
    recorded = json.loads(sweep.peaks.read_text()) if sweep.peaks.exists() else {}
    return Peaks(**recorded.get(str(cfg.threads), {"threads": cfg.threads}))


def _status(end: BoxEnd, measured: Measured | None) -> Status:
    """Return the status of a trial whose box has ended."""
    if end.timed_out:
        return "timeout"
    if end.out_of_memory:  # even if only a child was killed, because the rest is then another program
        return "oom"
    if end.exit_code or measured is None:
        return "crashed"
    return "unfair" if measured.unfair else "ok"
