"""Prepare: everything that a trial needs and that is not measured, each made once and kept in the store.

The chain of a job runs step by step, each in a box of its own; then the texts are tokenized for the workload, and the
artifact is evaluated on them. The same artifact for another thread count costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from runner.config.schema import Config
from runner.console import say
from runner.engines.engine import FORMATS
from runner.isolation.box import Box
from runner.models.flops import FlopCount, count_flops
from runner.models.source import chain_entries
from runner.results.lineage import notes_of
from runner.store import plugins
from runner.store.artifacts import Artifact, Store
from runner.store.plugins import Kept
from runner.sweep.artifact_builder import Announce, ArtifactBuilder
from runner.tasks.source import load_texts, plugin_record, task_identity
from runner.tasks.texts import write_texts
from runner.techniques.chain import make_chain
from runner.techniques.step import Step


@dataclass(frozen=True)
class PreparedFiles:
    """What a trial needs.

    Attributes:
        artifact: the end of the chain.
        inputs: the tokenized texts, one .npz.
        texts: the task's folder.
        logits: of every test text, [texts, labels].
        batch_sensitivity: how far these depend on batch and padding; see runner/trial/batch_sensitivity.py.
        precision: what the engine computes matrix products with weights in; None if it cannot be told.
        int8_weight_bits: see `runner.trial.weights`.
        plugin: the engine's code, if it is the user's own.
        plugins: what there is of that in the whole job: of steps, engine and task.
        reference: what transformers alone predicts of some of the texts; None if control_texts is 0.
        model_logits: of every test text, of the model that the technique started from; None if the technique keeps its
            predictions, so that those of the artifact can be compared with the reference.
        flops: of one text, by the last checkpoint of the chain; None if a step changed them or they cannot be counted.
    """

    artifact: Artifact
    inputs: Artifact
    texts: Artifact
    logits: list[list[float]]
    batch_sensitivity: dict[str, Any]
    precision: str | None
    int8_weight_bits: int | None
    plugin: Kept | None
    plugins: list[str]
    reference: Artifact | None
    model_logits: list[list[float]] | None
    flops: FlopCount | None


def chain_of(cfg: Config) -> tuple[list[Step], list[Step]]:
    """Return the steps of the model and those of the technique.

    Raises:
        UserError: for a bad step; see `runner.techniques.chain`.
    """
    own = make_chain(chain_entries(cfg.model, cfg.seed), f"model '{cfg.model.name}': steps")
    added = make_chain(cfg.technique.steps, f"technique '{cfg.technique.name}': steps")
    return own, added


def teacher_chain(cfg: Config) -> list[Step]:
    """Return the steps of the technique's own teacher, none if it has none.

    Raises:
        UserError: for a bad step; see `runner.techniques.chain`.
    """
    teacher = cfg.technique.teacher
    if not teacher:
        return []
    where = f"technique '{cfg.technique.name}': teacher '{teacher.name}': steps"
    return make_chain(chain_entries(teacher, cfg.seed), where)


def texts_of(cfg: Config) -> Artifact:
    """Return the task's texts and labels as files; made here and not in a box, since they may come over the network.

    Raises:
        UserError: if the task's file is at fault, or a package cannot be had.
    """
    store = Store(Path(cfg.store))
    recipe = {"texts": task_identity(cfg.task)}
    if found := store.find(recipe):
        return found
    with store.staging_dir() as folder:
        target = folder / "files"
        target.mkdir()
        texts = load_texts(cfg.task, Path(cfg.downloads))
        for note in texts.notes:
            say(note)
        if texts.drawn and not any(step["step"] == "fine-tune" for step in cfg.model.steps):
            say(
                f"{cfg.task.name}: there is no column split, so {len(texts.test)} of the texts were drawn to test on. "
                f"If {cfg.model.name} was trained on them, every accuracy here is too good."
            )
        write_texts(texts, target)
        return store.put(recipe, target, "texts", [{"task": cfg.task.name} | plugin_record(cfg.task)])


def prepare(cfg: Config, box: Box, cpus: list[int], announce: Announce) -> PreparedFiles:
    """Return all that the job's trials need, from the store or newly made.

    Args:
        cfg: the job.
        box: where steps run.
        cpus: those that a step may use.
        announce: is told what is being made.

    Raises:
        PrepareError: if a step, the tokenizing or the evaluating ends badly.
        UserError: if the model's or the task's files cannot be had.
    """
    builder = ArtifactBuilder(Store(Path(cfg.store)), box, cpus, cfg.prepare_timeout_seconds, announce)
    texts = texts_of(cfg)
    own, added = chain_of(cfg)
    original = builder.chain(own, cfg.model, texts, cfg)[0]
    teacher: Artifact | None = original
    if cfg.technique.teacher:
        teacher = builder.chain(teacher_chain(cfg), cfg.technique.teacher, texts, cfg)[0]
    artifact, checkpoint = builder.chain(added, cfg.model, texts, cfg, original, teacher)
    inputs = builder.tokenize(checkpoint, texts, cfg)
    for remark in (remark for notes in notes_of(inputs.lineage) for remark in notes.get("remarks", ())):
        _say_once(f"model '{cfg.model.name}' on task '{cfg.task.name}': {remark}")
    engine = plugins.find("engines", cfg.technique.engine, FORMATS)
    plugin = plugins.keep(engine, Store(Path(cfg.store))) if engine else None
    logits, notes = builder.evaluate(artifact, inputs, cfg, cfg.technique.engine, cfg.technique.name, plugin)
    reference, model_logits = builder.control(own, added, original, texts, cfg) if cfg.control_texts else (None, None)
    steps, flops = [*own, *added], None
    if all(step.keeps_flops for step in steps):
        flops = count_flops(checkpoint.path, any(step.first_token_only for step in steps))
    own_code = [*_own_code(artifact, texts), *([str(plugin)] if plugin else [])]
    return PreparedFiles(
        artifact=artifact,
        inputs=inputs,
        texts=texts,
        logits=logits,
        batch_sensitivity=notes["batch_sensitivity"],
        precision=notes["precision"],
        int8_weight_bits=notes["int8_weight_bits"],
        plugin=plugin,
        plugins=own_code,
        reference=reference,
        model_logits=model_logits,
        flops=flops,
    )


@cache
def _say_once(line: str) -> None:
    """Print a line that stays, although it holds for several jobs."""
    say(line)


def _own_code(*artifacts: Artifact) -> list[str]:
    """Return what of the user's own code made these."""
    records = [record for artifact in artifacts for record in artifact.lineage]
    return [record["plugin"] for record in records if "plugin" in record]
