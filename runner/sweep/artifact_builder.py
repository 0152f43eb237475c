"""Make the artifacts that the store does not have yet. Each step runs in a box."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.paths import CODE
from runner.config.schema import Config, ModelConfig
from runner.config.task_kinds import RETRIEVAL, TOKENS, VECTORS
from runner.engines.engine import FORMATS
from runner.isolation.box import Box, BoxOrder
from runner.machine.provenance import lock_sha256
from runner.machine.topology import total_memory_bytes
from runner.models.source import fetch_model, model_identity, readable_by_a_box
from runner.store import plugins
from runner.store.artifacts import Artifact, Store, digest
from runner.store.plugins import StoredPlugin
from runner.store.source_code import source_hash
from runner.sweep.step_progress import tail_progress
from runner.techniques.step import PROGRESS, Step, plugin_of
from runner.trial.inputs import LOGITS

Announce = Callable[[str], None]
_BOX_ROOMS = ("trial", "engines", "models", "tasks")  # the rooms whose code shapes inputs and predictions
_MEMORY_SHARE = 0.9  # the share of the machine's memory for a step; a hostile model must not end the Docker engine
_recipe_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)  # two jobs may need the same artifact at once


class PrepareError(Exception):
    """A step failed.

    Args:
        step: the title of the step.
        reason: the reason in one line.
        log: all output of the step, which becomes an attribute.
    """

    def __init__(self, step: str, reason: str, log: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.log = log


class ArtifactBuilder:
    """Make the artifacts that the store does not have yet.

    Args:
        store: the store.
        box: the box in which steps run.
        cpus: the CPUs that a step may use.
        seconds: the time after which a step is killed.
        announce: a function that shows a line about what is being made.
    """

    def __init__(self, store: Store, box: Box, cpus: list[int], seconds: float, announce: Announce) -> None:
        self._store, self._box, self._cpus, self._seconds, self._announce = store, box, cpus, seconds, announce

    def chain(
        self,
        steps: list[Step],
        model: ModelConfig,
        texts: Artifact,
        cfg: Config,
        source: Artifact | None = None,
        teacher: Artifact | None = None,
    ) -> tuple[Artifact, Artifact]:
        """Return the result of all steps, and the last result with a tokenizer, whose tokenizer and shapes apply.

        Args:
            steps: the steps in order.
            model: the model whose files the first step may read.
            texts: the task's texts and labels.
            cfg: the job's config.
            source: the checkpoint to start from. It is None for a model's own steps.
            teacher: the checkpoint for the steps that learn from a teacher.
        """
        artifact = checkpoint = source
        for step in steps:
            others = {}
            if step.reads_tokenizer and checkpoint:
                others["checkpoint"] = checkpoint
            if step.reads_teacher and teacher:
                others["teacher"] = teacher
            artifact = self._step(step, artifact, others, model, texts, Path(cfg.downloads))
            if step.gives_tokenizer():
                checkpoint = artifact
        assert artifact is not None
        assert checkpoint is not None
        return artifact, checkpoint

    def _step(
        self,
        step: Step,
        source: Artifact | None,
        others: dict[str, Artifact],
        model: ModelConfig,
        texts: Artifact,
        downloads: Path,
    ) -> Artifact:
        """Return the result of a step. `others` are the artifacts that it reads in addition to its source."""
        module = plugin_of(step.name)
        plugin = plugins.store_plugin(module, self._store) if module else None
        from_files = step.takes == "files"
        reads_texts = step.reads_texts or step.reads_labels
        recipe = {
            "step": step.name,
            "config": asdict(step),
            "code": plugin.sha256 if plugin else step.code(),
            "input": model_identity(model, downloads) if from_files else source.content if source else None,
            "texts": texts.content if reads_texts else None,
            "lock": lock_sha256(),
        }
        recipe |= {name: artifact.content for name, artifact in others.items()}
        recipe |= {"plugin": str(plugin)} if plugin else {}
        inputs = {"texts": texts.path} | {name: artifact.path for name, artifact in others.items()}
        if from_files:
            if artifact := self._store.find(recipe):
                return artifact
            files = fetch_model(model, downloads)
            assert files is not None
            inputs["source"] = files
        elif source:
            inputs["source"] = source.path
        order = {"step": step.name, "config": asdict(step), "plugin": plugin.module if plugin else None}
        lineage = source.lineage if source else []
        title = f"{model.name}: {step.name}"
        with self._store.staging_dir() as folder:
            if from_files:
                inputs["source"] = readable_by_a_box(inputs["source"], folder / "source")
            return self._make(recipe, "runner.techniques", order, inputs, step.gives, lineage, title, plugin)

    def tokenize(self, checkpoint: Artifact, texts: Artifact, cfg: Config) -> Artifact:
        """Return the test texts as token ids, in the workload's batches."""
        settings = {
            "batch_size": cfg.workload.batch_size,
            "padding": cfg.workload.padding.value,
            "bucket": cfg.workload.bucket,
            "max_length": cfg.workload.max_length,
        }
        model = json.loads((checkpoint.path / "config.json").read_text())
        tokenizer = {
            "pad_token_id": model.get("pad_token_id") or 0,
            "positions": model.get("max_position_embeddings"),
            "model_type": model.get("model_type"),
            "token_types": bool(model.get("takes_token_types")),
            "words": cfg.task.kind == TOKENS,
        }
        if cfg.task.kind == RETRIEVAL:
            tokenizer["prompts"] = model.get("vector_prompts") or ["", ""]
        recipe = {
            "tokenize": settings | tokenizer,
            "tokenizer": digest((checkpoint.path / "tokenizer.json").read_text()),
            "texts": texts.content,
            "code": source_hash([CODE / "trial" / "tokenize.py"], _BOX_ROOMS),
            "lock": lock_sha256(),
        }
        inputs = {"checkpoint": checkpoint.path, "texts": texts.path}
        title = f"{cfg.model.name}: tokenize for {cfg.workload.name}"
        return self._make(recipe, "runner.trial.tokenize", settings | tokenizer, inputs, "inputs", [], title)

    def evaluate(
        self,
        artifact: Artifact,
        inputs: Artifact,
        cfg: Config,
        engine: str,
        of: str,
        plugin: StoredPlugin | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the artifact's logits for all test texts and then all documents, and the notes of the evaluation.

        Args:
            artifact: the artifact to evaluate.
            inputs: the tokenized texts.
            cfg: the job's config.
            engine: the name of the engine.
            of: the name of what makes the predictions, for the line that is shown.
            plugin: the engine's code if the user wrote the engine.
        """
        engine_code = [] if plugin else [CODE / "engines" / f"{engine}.py"]
        recipe = {
            "logits": artifact.content,
            "inputs": inputs.content,
            "engine": engine,
            "kind": cfg.task.kind,
            "code": [
                source_hash([CODE / "trial" / "evaluate.py", *engine_code], _BOX_ROOMS),
                *([plugin.sha256] if plugin else []),
            ],
            "lock": lock_sha256(),
        }
        folders = {"artifact": artifact.path, "inputs": inputs.path}
        request = {"engine": engine, "plugin": plugin.module if plugin else None, "kind": cfg.task.kind}
        title = f"{cfg.model.name}: predictions of {of}"
        predictions = self._make(recipe, "runner.trial.evaluate", request, folders, "logits", [], title, plugin)
        logits = np.load(predictions.path / LOGITS, allow_pickle=False).astype(float)
        return logits, predictions.lineage[-1]["notes"]

    def control(
        self, model_steps: list[Step], technique_steps: list[Step], model: Artifact, texts: Artifact, cfg: Config
    ) -> tuple[Artifact, np.ndarray | None]:
        """Return the predictions of transformers alone, and the model's logits.

        The logits are None if the technique does not change predictions. Then the job's own logits are compared.

        Args:
            model_steps, technique_steps: the steps of the model and of the technique.
            model: the checkpoint from which the technique starts.
            texts: the task's texts and labels.
            cfg: the job's config.
        """
        reference = self._reference(model_steps, model, texts, cfg)
        if all(step.keeps_predictions for step in technique_steps) and cfg.technique.precision in (None, "float32"):
            return reference, None
        engine = next(engine for engine, loads in FORMATS.items() if loads == model.format)
        return reference, self.evaluate(model, self.tokenize(model, texts, cfg), cfg, engine, "the model itself")[0]

    def _reference(self, model_steps: list[Step], model: Artifact, texts: Artifact, cfg: Config) -> Artifact:
        """Return the predictions of transformers alone for some test texts (runner/sweep/control/reference.py).

        transformers loads the model's raw files. If the model's own steps change predictions on purpose, such as a new
        head or training, it loads the weights that these steps made. If no step changes the tokenizer, it is the raw
        one.
        """
        downloads = Path(cfg.downloads)
        raw_weights = all(step.keeps_predictions for step in model_steps)
        raw_tokenizer = model_steps[0].name == "import-checkpoint" and not any(
            step.changes_tokenizer for step in model_steps
        )
        raw = model_identity(cfg.model, downloads)
        config = json.loads((model.path / "config.json").read_text())
        settings = {
            "texts": cfg.control_texts,
            "kind": cfg.task.kind,
            "vectors": cfg.task.kind in VECTORS,
            "normalized": bool(config.get("vector_normalized")),
            "pooling": getattr(model_steps[0], "head", None) if raw_weights else config.get("vector_pooling"),
            "max_length": cfg.workload.max_length,
            "raw_tokenizer": raw_tokenizer,
        }
        recipe = {
            "control": settings,
            "model": raw if raw_weights else model.content,
            "tokenizer": raw if raw_tokenizer else model.content,
            "texts": texts.content,
            "code": source_hash([CODE / "sweep" / "control" / "reference.py"]),
            "lock": lock_sha256(),
        }
        if artifact := self._store.find(recipe):
            return artifact
        with self._store.staging_dir() as folder:
            files = fetch_model(cfg.model, downloads) if raw_weights or raw_tokenizer else None
            source = readable_by_a_box(files, folder / "source") if files else model.path
            inputs = {
                "model": source if raw_weights else model.path,
                "tokenizer": source if raw_tokenizer else model.path,
                "texts": texts.path,
            }
            title = f"{cfg.model.name}: predictions by transformers alone"
            return self._make(recipe, "runner.sweep.control.reference", settings, inputs, "reference", [], title)

    def _make(
        self,
        recipe: dict[str, Any],
        module: str,
        request: dict[str, Any],
        inputs: dict[str, Path],
        format: str,
        lineage: list[dict[str, Any]],
        title: str,
        plugin: StoredPlugin | None = None,
    ) -> Artifact:
        """Return the artifact of a recipe from the store, or run `module` in a box, which writes the folder `files`."""
        with _recipe_locks[digest(recipe)], self._store.staging_dir() as folder:
            if artifact := self._store.find(recipe):
                return artifact
            self._announce(title)
            began = datetime.now(UTC)
            threads = {"threads": len(self._cpus)}
            order = BoxOrder(
                *(module, request | threads, inputs, folder, self._cpus),
                memory_bytes=self._box.memory_limit(int(_MEMORY_SHARE * total_memory_bytes())),
                timeout_seconds=self._seconds,
                plugin=plugin.path if plugin else None,
            )
            with tail_progress(folder / PROGRESS, lambda line: self._announce(f"{title}: {line}")):
                end = self._box.run(order)
            end.check_disk(folder)
            notes = folder / "notes.json"
            if end.exit_code or end.timed_out or not notes.exists():
                raise PrepareError(
                    title, end.reason("prepare_timeout_seconds", f"{_MEMORY_SHARE:.0%} of this machine's"), end.log
                )
            record = recipe | threads | {"made_at": began.isoformat(), "made_in": self._box.kind}
            record |= {"image_id": self._box.image_id} | json.loads(notes.read_text())
            return self._store.put(recipe, folder / "files", format, [*lineage, record])
