"""Prepare a job: make the artifact, the tokenized texts and the predictions, and keep them in the store.

Each step of the job's chain runs in its own box. Then the texts are tokenized for the workload, and the artifact is
evaluated on them. Nothing is made twice: jobs that differ only in the number of threads share everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.schema import Config
from runner.console import say
from runner.engines.engine import FORMATS
from runner.isolation.box import Box
from runner.models.flops import FlopCount, count_flops
from runner.models.source import chain_entries
from runner.results.lineage import notes_of
from runner.store import plugins
from runner.store.artifacts import Artifact, Store
from runner.store.plugins import StoredPlugin
from runner.sweep.artifact_builder import Announce, ArtifactBuilder
from runner.tasks.source import load_texts, plugin_record, task_identity
from runner.tasks.texts import write_texts
from runner.techniques.chain import make_chain
from runner.techniques.step import Step


@dataclass(frozen=True)
class PreparedFiles:
    """The files and properties that a trial needs.

    Attributes:
        artifact: the result of the chain.
        inputs: the tokenized texts in one .npz file.
        texts: the texts and labels of the task.
        logits: the logits for all test texts, then for all documents, [texts, labels].
        batch_sensitivity: how much the logits depend on batch and padding; see runner/trial/batch_sensitivity.py.
        precision: the precision in which the engine multiplies by weights, or None if it cannot be determined.
        int8_weight_bits: the number of bits of int8 weights that the engine uses; see `runner.trial.weights`.
        plugin: the engine's code if the user wrote the engine.
        plugins: the names and hashes of the user's own steps, engine and task in this job.
        reference: the predictions of transformers alone for some of the texts, or None if control_texts is 0.
        model_logits: the logits of the model from which the technique started, for all these texts. They are None if
            the technique does not change predictions, because then `logits` can be compared with the reference.
        flops: the FLOPs of one text, counted from the last checkpoint of the chain. They are None if a step changed
            them or if they cannot be counted.
    """

    artifact: Artifact
    inputs: Artifact
    texts: Artifact
    logits: np.ndarray
    batch_sensitivity: dict[str, Any]
    precision: str | None
    int8_weight_bits: int | None
    plugin: StoredPlugin | None
    plugins: list[str]
    reference: Artifact | None
    model_logits: np.ndarray | None
    flops: FlopCount | None


def chain_of(cfg: Config) -> tuple[list[Step], list[Step]]:
    """Return the steps of the model and those of the technique.

    Raises:
        UserError: if a step is not valid; see `runner.techniques.chain`.
    """
    model_steps = make_chain(chain_entries(cfg.model, cfg.seed), f"model '{cfg.model.name}': steps")
    technique_steps = make_chain(cfg.technique.steps, f"technique '{cfg.technique.name}': steps")
    return model_steps, technique_steps


def teacher_chain(cfg: Config) -> list[Step]:
    """Return the steps of the technique's teacher, or an empty list if it has no teacher.

    Raises:
        UserError: if a step is not valid; see `runner.techniques.chain`.
    """
    teacher = cfg.technique.teacher
    if not teacher:
        return []
    where = f"technique '{cfg.technique.name}': teacher '{teacher.name}': steps"
    return make_chain(chain_entries(teacher, cfg.seed), where)


def texts_of(cfg: Config) -> Artifact:
    """Return the task's texts and labels as files. They are not made in a box, because they may need the network.

    Raises:
        UserError: if the task's file is not valid, or if a package cannot be downloaded.
    """
    store = Store(Path(cfg.store))
    recipe = {"texts": task_identity(cfg.task)}
    if artifact := store.find(recipe):
        return artifact
    with store.staging_dir() as folder:
        target = folder / "files"
        target.mkdir()
        texts = load_texts(cfg.task, Path(cfg.downloads))
        for note in texts.notes:
            say(note)
        if texts.drawn and not any(step["step"] == "fine-tune" for step in cfg.model.steps):
            say(
                f"{cfg.task.name}: there is no column split, so {len(texts.test)} of the texts were drawn to test on. "
                f"If {cfg.model.name} was trained on them, every accuracy here is too high."
            )
        write_texts(texts, target)
        return store.put(recipe, target, "texts", [{"task": cfg.task.name} | plugin_record(cfg.task)])


def prepare(cfg: Config, box: Box, cpus: list[int], announce: Announce) -> PreparedFiles:
    """Return the files that the job's trials need. Make those that the store does not have.

    Args:
        cfg: the job's config.
        box: the box in which steps run.
        cpus: the CPUs that a step may use.
        announce: a function that shows a line about what is being made.

    Raises:
        PrepareError: if a step, the tokenizing or the evaluation fails.
        UserError: if the model's or the task's files cannot be read or downloaded.
    """
    builder = ArtifactBuilder(Store(Path(cfg.store)), box, cpus, cfg.prepare_timeout_seconds, announce)
    texts = texts_of(cfg)
    model_steps, technique_steps = chain_of(cfg)
    original = builder.chain(model_steps, cfg.model, texts, cfg)[0]
    teacher: Artifact | None = original
    if cfg.technique.teacher:
        teacher = builder.chain(teacher_chain(cfg), cfg.technique.teacher, texts, cfg)[0]
    artifact, checkpoint = builder.chain(technique_steps, cfg.model, texts, cfg, original, teacher)
    inputs = builder.tokenize(checkpoint, texts, cfg)
    for remark in (remark for notes in notes_of(inputs.lineage) for remark in notes.get("remarks", ())):
        _say_once(f"model '{cfg.model.name}' on task '{cfg.task.name}': {remark}")
    engine = plugins.find("engines", cfg.technique.engine, FORMATS)
    plugin = plugins.store_plugin(engine, Store(Path(cfg.store))) if engine else None
    logits, notes = builder.evaluate(artifact, inputs, cfg, cfg.technique.engine, cfg.technique.name, plugin)
    reference, model_logits = (
        builder.control(model_steps, technique_steps, original, texts, cfg) if cfg.control_texts else (None, None)
    )
    steps, flops = [*model_steps, *technique_steps], None
    if all(step.keeps_flops for step in steps):
        flops = count_flops(checkpoint.path, any(step.first_token_only for step in steps))
    return PreparedFiles(
        artifact=artifact,
        inputs=inputs,
        texts=texts,
        logits=logits,
        batch_sensitivity=notes["batch_sensitivity"],
        precision=notes["precision"],
        int8_weight_bits=notes["int8_weight_bits"],
        plugin=plugin,
        plugins=[*_plugins_of(artifact, texts), *([str(plugin)] if plugin else [])],
        reference=reference,
        model_logits=model_logits,
        flops=flops,
    )


@cache
def _say_once(line: str) -> None:
    """Print a line. A line that several jobs print appears only once."""
    say(line)


def _plugins_of(*artifacts: Artifact) -> list[str]:
    """Return the names and hashes of the plugins that made these artifacts."""
    records = [record for artifact in artifacts for record in artifact.lineage]
    return [record["plugin"] for record in records if "plugin" in record]
