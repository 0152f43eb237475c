"""Make artifacts: what is not in the store yet is made in a box, step by step."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runner.config.paths import CODE
from runner.config.schema import Config, ModelConfig
from runner.config.task_kinds import TOKENS
from runner.engines.engine import FORMATS
from runner.isolation.box import Box, BoxOrder
from runner.machine.provenance import lock_sha256
from runner.machine.topology import total_memory_bytes
from runner.models.source import fetch_model, model_identity, readable_by_a_box
from runner.store import plugins
from runner.store.artifacts import Artifact, Store, digest
from runner.store.plugins import Kept
from runner.store.source_code import source_hash
from runner.sweep.step_progress import tail_progress
from runner.techniques.step import PROGRESS, Step, plugin_of

Announce = Callable[[str], None]
_IN_A_BOX = ("trial", "engines", "models", "tasks")  # the rooms whose code shapes inputs and predictions
_MEMORY_SHARE = 0.9  # of the machine's, for a step: a hostile model must not take the engine down with it
_making: dict[str, threading.Lock] = defaultdict(threading.Lock)  # one per recipe: what two jobs share is made once


class PrepareError(Exception):
    """A step ended badly. `reason` is one line, `log` all that the step printed."""

    def __init__(self, step: str, reason: str, log: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.log = log


class ArtifactBuilder:
    """Makes what is not in the store yet."""

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
        """Return the result of all steps, and the last one with a tokenizer: what comes after it has its shapes, too.

        Args:
            source: the checkpoint to start from; None for a model's own steps.
            teacher: for the steps that learn from one.
        """
        artifact = checkpoint = source
        for step in steps:
            beside = {}
            if step.reads_tokenizer and checkpoint:
                beside["checkpoint"] = checkpoint
            if step.reads_teacher and teacher:
                beside["teacher"] = teacher
            artifact = self._step(step, artifact, beside, model, texts, Path(cfg.downloads))
            if step.gives_tokenizer():
                checkpoint = artifact
        assert artifact is not None
        assert checkpoint is not None
        return artifact, checkpoint

    def _step(
        self,
        step: Step,
        source: Artifact | None,
        beside: dict[str, Artifact],
        model: ModelConfig,
        texts: Artifact,
        downloads: Path,
    ) -> Artifact:
        """Return the step's result; `beside` are the artifacts that it reads besides its source."""
        own = plugin_of(step.name)
        plugin = plugins.keep(own, self._store) if own else None
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
        recipe |= {name: artifact.content for name, artifact in beside.items()}
        recipe |= {"plugin": str(plugin)} if plugin else {}
        inputs = {"texts": texts.path} | {name: artifact.path for name, artifact in beside.items()}
        if from_files:
            if found := self._store.find(recipe):
                return found
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
        recipe = {
            "tokenize": settings | tokenizer,
            "tokenizer": digest((checkpoint.path / "tokenizer.json").read_text()),
            "texts": texts.content,
            "code": source_hash([CODE / "trial" / "tokenize.py"], _IN_A_BOX),
            "lock": lock_sha256(),
        }
        inputs = {"checkpoint": checkpoint.path, "texts": texts.path}
        title = f"{cfg.model.name}: tokenize for {cfg.workload.name}"
        return self._make(recipe, "runner.trial.tokenize", settings | tokenizer, inputs, "inputs", [], title)

    def evaluate(
        self, artifact: Artifact, inputs: Artifact, cfg: Config, engine: str, of: str, plugin: Kept | None = None
    ) -> tuple[list[list[float]], dict[str, Any]]:
        """Return the artifact's logits for every test text, and what was noted of them (runner/trial/evaluate.py)."""
        own = [] if plugin else [CODE / "engines" / f"{engine}.py"]
        recipe = {
            "logits": artifact.content,
            "inputs": inputs.content,
            "engine": engine,
            "kind": cfg.task.kind,
            "code": [
                source_hash([CODE / "trial" / "evaluate.py", *own], _IN_A_BOX),
                *([plugin.sha256] if plugin else []),
            ],
            "lock": lock_sha256(),
        }
        folders = {"artifact": artifact.path, "inputs": inputs.path}
        request = {"engine": engine, "plugin": plugin.module if plugin else None, "kind": cfg.task.kind}
        title = f"{cfg.model.name}: predictions of {of}"
        made = self._make(recipe, "runner.trial.evaluate", request, folders, "logits", [], title, plugin)
        logits: list[list[float]] = json.loads((made.path / "logits.json").read_text())
        return logits, made.lineage[-1]["notes"]

    def control(
        self, own: list[Step], added: list[Step], model: Artifact, texts: Artifact, cfg: Config
    ) -> tuple[Artifact, list[list[float]] | None]:
        """Return what transformers alone predicts, and the model's logits if those of the job are meant to differ.

        Args:
            own, added: the steps of the model and of the technique.
            model: the checkpoint that the technique starts from.
        """
        reference = self._reference(own, model, texts, cfg)
        if all(step.keeps_predictions for step in added) and cfg.technique.precision in (None, "float32"):
            return reference, None
        engine = next(engine for engine, loads in FORMATS.items() if loads == model.format)
        return reference, self.evaluate(model, self.tokenize(model, texts, cfg), cfg, engine, "the model itself")[0]

    def _reference(self, own: list[Step], model: Artifact, texts: Artifact, cfg: Config) -> Artifact:
        """Return what transformers alone predicts of some test texts (runner/sweep/control/reference.py).

        It loads the model's raw files, unless the model's own steps changed them on purpose (a new head, training):
        then what these steps made, with the raw files' tokenizer.
        """
        downloads = Path(cfg.downloads)
        raw_weights = all(step.keeps_predictions for step in own)
        raw_tokenizer = own[0].name == "import-checkpoint" and not any(step.changes_tokenizer for step in own)
        raw = model_identity(cfg.model, downloads)
        config = json.loads((model.path / "config.json").read_text())
        settings = {
            "texts": cfg.control_texts,
            "kind": cfg.task.kind,
            "normalized": bool(config.get("vector_normalized")),
            "pooling": getattr(own[0], "head", None) if raw_weights else config.get("vector_pooling"),
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
        if found := self._store.find(recipe):
            return found
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
        plugin: Kept | None = None,
    ) -> Artifact:
        """Return what the recipe gives: found, or made by `module` in a box as the folder `files`."""
        with _making[digest(recipe)], self._store.staging_dir() as folder:
            if found := self._store.find(recipe):
                return found
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
