"""Prepare a job, and write the record that its trials read."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

from runner.config.schema import Config
from runner.console import announce, say
from runner.errors import MachineError, UserError, storage_error
from runner.isolation.box import is_stopping
from runner.isolation.choose import make_box
from runner.results.json_files import read_record
from runner.results.lineage import is_masked, labels_of_head, notes_of, other_outputs
from runner.results.records.measured import to_json
from runner.results.records.prepared import Control, PreparedJob
from runner.store.artifacts import Store, verify
from runner.store.sweep_folder import SweepFolder
from runner.sweep.artifact_builder import PrepareError
from runner.sweep.control.check import WrongError, check
from runner.sweep.predictions_file import predictions_of
from runner.sweep.prepare import PreparedFiles, prepare
from runner.tasks.texts import DOCUMENTS, read_labels, read_split
from runner.trial.inputs import TEXTS_FILE, load_inputs


def read_prepared(sweep: SweepFolder, job: str) -> PreparedJob | None:
    """Return the record of a job's preparation.

    Return None if there is no readable record, or if the store has lost a part of what was prepared.
    """
    try:
        record = read_record(sweep.prepared(job), PreparedJob)
        paths = filter(None, (record.artifact_path, record.inputs_path, record.plugin_path))
        is_complete = record.status != "ok" or all(verify(Path(path)) for path in paths)
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return record if is_complete else None


def prepare_job(cfg: Config, job: str, sweep: SweepFolder, cpus: list[int]) -> PreparedJob | None:
    """Prepare a job, write its predictions, and write the record of its preparation. A failure is recorded, too.

    Args:
        cfg: the job's config, which has been checked.
        job: the job's key.
        sweep: the sweep's folder.
        cpus: the CPUs that the job's steps may use.

    Returns:
        The record, or None if the preparation was stopped from outside.

    Raises:
        MachineError: if the engine or the disk has gone.
    """
    folder = sweep.prepared(job).parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        prepared = prepare(cfg, make_box(cfg.isolation), cpus, announce)
        control = _control(cfg, prepared)
        sweep.write(sweep.predictions_of(job), json.dumps(predictions_of(cfg, job, prepared)))
        record = _record(cfg, prepared, control)
    except WrongError as failure:
        record = PreparedJob("wrong", str(failure), write_log(failure.log, folder, sweep))
    except PrepareError as failure:
        record = _failed(str(failure), failure.log, folder, sweep)
    except MachineError:
        raise
    except UserError as failure:
        record = _failed(str(failure), str(failure), folder, sweep)
    except Exception as failure:
        if disk_error := storage_error(failure):
            raise disk_error from None
        record = _failed(f"{type(failure).__name__}: {failure}", traceback.format_exc(), folder, sweep)
    if is_stopping():
        return None  # a box that was killed together with this process says nothing about the job
    sweep.write(sweep.prepared(job), to_json(record))
    if record.error:
        say(f"{cfg.model.name} {cfg.technique.name}: {record.status}: {record.error}")
    return record


def write_log(text: str | None, folder: Path, sweep: SweepFolder) -> str | None:
    """Write a log into a folder, and return its path relative to the sweep's folder. Return None without a text."""
    if text is None:
        return None
    path = folder / "log.txt"
    path.write_text(text)
    return sweep.relative(path)


def _record(cfg: Config, prepared: PreparedFiles, control: Control | None) -> PreparedJob:
    artifact, flops = prepared.artifact, None
    if prepared.flops:
        batches = load_inputs(prepared.inputs.path / TEXTS_FILE, cfg.measure.batches)
        flops = prepared.flops.per_call([inputs[1] for inputs in batches])
    return PreparedJob(
        status="ok",
        engine=cfg.technique.engine,
        artifact_path=str(artifact.path),
        inputs_path=str(prepared.inputs.path),
        artifact=artifact.content,
        artifact_format=artifact.format,
        disk_bytes=artifact.disk_bytes,
        compressed_bytes=Store(Path(cfg.store)).compressed_bytes(artifact),
        masked=is_masked(artifact.lineage),
        precision=prepared.precision,
        int8_weight_bits=prepared.int8_weight_bits,
        plugin_module=prepared.plugin.module if prepared.plugin else None,
        plugin_path=str(prepared.plugin.path) if prepared.plugin else None,
        plugins=" ".join(prepared.plugins) or None,
        useful_flops=flops.useful if flops else None,
        padded_flops=flops.padded if flops else None,
        control=control,
    )


def _failed(error: str, log: str, folder: Path, sweep: SweepFolder) -> PreparedJob:
    return PreparedJob("prepare-failed", error, write_log(log, folder, sweep))


def _output_names(prepared: PreparedFiles) -> list[str]:
    """Return the names of the model's outputs, in the order of its logits."""
    labels, lineage = read_labels(prepared.texts.path), prepared.artifact.lineage
    return [*labels, *other_outputs(lineage, labels)] or labels_of_head(lineage)


def _control(cfg: Config, prepared: PreparedFiles) -> Control | None:
    """Compare the predictions with those of transformers. Return None if the control is switched off.

    Raises:
        WrongError: if the predictions differ by more than rounding explains.
    """
    if prepared.reference is None:
        return None
    logits, of = (prepared.logits, "job") if prepared.model_logits is None else (prepared.model_logits, "model")
    examples = read_split(prepared.texts.path, "test") + read_split(prepared.texts.path, DOCUMENTS)
    label_outputs = next(
        (n["label_outputs"] for n in notes_of(prepared.artifact.lineage) if "label_outputs" in n), None
    )
    names = _output_names(prepared)
    return check(prepared.reference.path, logits, names, examples, cfg.task.kind, of, label_outputs)
