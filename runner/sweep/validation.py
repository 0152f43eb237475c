"""Check composed jobs before anything starts. The config's dataclasses alone cannot check this."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from runner.config.paths import OUT, RETRY_FAILED
from runner.config.schema import Config, IsolationKind, ModelConfig, TechniqueConfig
from runner.config.task_kinds import RETRIEVAL
from runner.engines.engine import FORMATS, NEED_A_COMPILER, NOT_IN_THE_IMAGE, PACKAGES
from runner.errors import UserError, did_you_mean
from runner.isolation.choose import check_load, check_quota, check_threads, memory_bytes, resolve
from runner.models.source import fetch_model
from runner.store import plugins
from runner.sweep.prepare import chain_of, teacher_chain, texts_of
from runner.tasks.texts import read_kind, read_labels, read_pairs
from runner.techniques.chain import check_chain, follow_shape
from runner.techniques.shape import Shape, shape_of_config, shape_of_files
from runner.techniques.step import Step

Result = TypeVar("Result")


def check_job(cfg: Config) -> list[str]:
    """Check one job, and return remarks about it; see `Checks`."""
    checks = Checks()
    checks.check(cfg)
    return checks.remarks


class Checks:
    """Check jobs: their engines, steps, threads and memory, and the files of their models and tasks.

    A check that several jobs have in common runs once.

    Args:
        local: whether trials run on this machine. A cluster's node checks its own cores and memory.

    Attributes:
        remarks: lines that a person should know about valid jobs. Each of them appears once.
    """

    def __init__(self, local: bool = True) -> None:
        self._local = local
        self.remarks: list[str] = []
        self._results: dict[tuple[str, ...], Any] = {}

    def check(self, cfg: Config) -> None:
        """Check a job.

        Raises:
            UserError: if something is wrong. The message describes the first error.
        """
        self._once("metrics", [cfg.metrics], lambda: _check_metrics(cfg))
        if self._local:
            self._once("threads", [cfg.threads], lambda: check_threads(cfg.threads))
            self._once("load", [cfg.threads, cfg.load], lambda: check_load(cfg.threads, cfg.load))
            self._once("quota", [cfg.isolation], lambda: check_quota(cfg.isolation))
            self._once("memory", [cfg.isolation.memory], lambda: memory_bytes(cfg.isolation.memory))
        self._once("generator", [cfg.load, cfg.isolation], lambda: _check_generator(cfg))
        read = [cfg.model, cfg.technique, cfg.task, cfg.isolation, cfg.seed, cfg.store, cfg.downloads]
        shape = self._once("steps", read, lambda: self._check_steps(cfg))
        if shape.tokens is not None and cfg.workload.max_length > shape.tokens:
            raise UserError(
                f"workload '{cfg.workload.name}': workload.max_length is {cfg.workload.max_length}, but model "
                f"'{cfg.model.name}' takes at most {shape.tokens} tokens: by its positions (config.json), by "
                "model_max_length (tokenizer_config.json) or by max_seq_length (sentence_bert_config.json). Give fewer."
            )

    def _once(self, name: str, read: list[Any], check: Callable[[], Result]) -> Result:
        """Return the result of a check, which runs once for each combination of the values that it reads."""
        key = (name, *map(repr, read))
        if key not in self._results:
            self._results[key] = check()
        result: Result = self._results[key]
        return result

    def _check_steps(self, cfg: Config) -> Shape:
        """Check the engine, the steps and the files, and return the shape of the model."""
        engine_format = _engine_format(cfg.technique)
        model_steps, technique_steps = chain_of(cfg)
        steps = [*model_steps, *technique_steps]
        check_chain(steps, engine_format, f"technique '{cfg.technique.name}'")
        _check_compiler(steps, cfg)
        _check_packages(steps, cfg)
        texts = self._once("texts", [cfg.task, cfg.store, cfg.downloads], lambda: texts_of(cfg))
        files = self._once("files", [cfg.model, cfg.downloads], lambda: fetch_model(cfg.model, Path(cfg.downloads)))
        _check_teacher(technique_steps, cfg, texts.path)
        raw = self._once("shape", [cfg.model, files], lambda: _raw_shape(cfg.model, files))
        shape = follow_shape(model_steps, raw, f"model '{cfg.model.name}'")
        follow_shape(technique_steps, shape, f"model '{cfg.model.name}' with technique '{cfg.technique.name}'")
        labels = self._once("labels", [texts.path], lambda: read_labels(texts.path))
        _check_labels(steps, labels, cfg)
        _check_kind(self._once("kind", [texts.path], lambda: read_kind(texts.path)), steps, cfg)
        pairs = self._once("pairs", [texts.path], lambda: read_pairs(texts.path))
        _check_pairs(steps, pairs, cfg)
        self._once("files fit", [cfg.model, texts.path], lambda: self._check_files(model_steps, files, texts.path, cfg))
        return shape

    def _check_files(self, steps: list[Step], files: Path | None, texts: Path, cfg: Config) -> None:
        """Check that the model's steps can use the model's files for this task, and collect their remarks."""
        where = f"model '{cfg.model.name}'"
        for step in steps if files else ():
            assert files is not None
            remarks = step.check_files(files, texts, where)
            self.remarks += [f"{where} on task '{cfg.task.name}': {remark}" for remark in remarks]


def _check_teacher(steps: list[Step], cfg: Config, texts: Path) -> None:
    """Check that a step learns from the teacher with the same tokenizer, and that the teacher's files are valid."""
    where, teacher = f"technique '{cfg.technique.name}'", cfg.technique.teacher
    learning = [number for number, step in enumerate(steps) if step.reads_teacher]
    if teacher and not learning:
        raise UserError(
            f"{where} has a teacher, but no step that learns from one. Add the step distil, or remove the teacher."
        )
    for step in steps[: learning[-1]] if learning else []:
        if step.changes_tokenizer:
            raise UserError(
                f"{where}: after the step '{step.name}', which changes the tokenizer, the step "
                f"'{steps[learning[-1]].name}' cannot give student and teacher the same tokens. Put it before "
                f"'{step.name}'."
            )
    if teacher:
        chain = teacher_chain(cfg)
        check_chain(chain, "checkpoint", f"{where}: teacher '{teacher.name}'")
        if files := fetch_model(teacher, Path(cfg.downloads)):
            for step in chain:
                step.check_files(files, texts, f"{where}: teacher '{teacher.name}'")


def _raw_shape(model: ModelConfig, files: Path | None) -> Shape:
    """Return the shape of a model's raw files from their config.json, or else from the model's YAML."""
    if files is None:
        return Shape()  # the step that makes random weights sets their shape
    shape = shape_of_files(files)
    if shape.model_type is not None or not model.shape:
        return shape
    return replace(shape_of_config(model.shape, f"model '{model.name}': shape"), tokenizer=shape.tokenizer)


def _check_labels(steps: list[Step], labels: list[str], cfg: Config) -> None:
    learning = [step.name for step in steps if step.reads_labels]
    if learning and not labels:
        raise UserError(
            f"task '{cfg.task.name}' has no labels, but {_owner(cfg, learning[0])} has the step '{learning[0]}', which "
            "learns from labels. Use a task with labels, or a model that needs no training (model.weights=random)."
        )


def _check_kind(kind: str, steps: list[Step], cfg: Config) -> None:
    """Check that the texts have the kind that the task declares, and that every step supports it."""
    if kind != cfg.task.kind:
        raise UserError(
            f"task.kind is '{cfg.task.kind}', but the texts of task '{cfg.task.name}' are {kind}. Set task.kind to "
            f"{kind}."
        )
    if cfg.technique.vectors != "float32" and kind != RETRIEVAL:
        raise UserError(
            f"technique.vectors of '{cfg.technique.name}' is {cfg.technique.vectors}, but task '{cfg.task.name}' is of "
            f"kind {kind}, which stores no vectors. Exclude this combination in the grid, or say "
            "technique.vectors=float32."
        )
    unable = next((step for step in steps if kind not in step.kinds), None)
    if unable:
        raise UserError(
            f"task '{cfg.task.name}' is of kind {kind}, but {_owner(cfg, unable.name)} has the step '{unable.name}', "
            f"which is for {' and '.join(unable.kinds)}. {unable.other_kinds}"
        )


def _check_pairs(steps: list[Step], pairs: bool, cfg: Config) -> None:
    unable = [step.name for step in steps if not step.takes_pairs]
    if pairs and unable:
        raise UserError(
            f"task '{cfg.task.name}' has pairs of texts, but {_owner(cfg, unable[0])} has the step '{unable[0]}'. Its "
            "result cannot distinguish the two texts of a pair. Add a rule to grid.exclude."
        )


def _check_compiler(steps: list[Step], cfg: Config) -> None:
    needing = [f"{_owner(cfg, step.name)} has the step '{step.name}'" for step in steps if step.needs_compiler]
    if cfg.technique.engine in NEED_A_COMPILER:
        needing.append(f"technique '{cfg.technique.name}' has the engine '{cfg.technique.engine}'")
    if not needing:
        return
    if resolve(cfg.isolation.kind)[0] is IsolationKind.docker:
        raise UserError(
            f"{needing[0]}, which needs a C++ compiler, but the image has none. Leave it out, or use isolation=process."
        )
    if not shutil.which("g++"):
        raise UserError(
            f"{needing[0]}, which needs a C++ compiler, but there is no g++ on this machine. Install it, or leave the "
            "technique out."
        )


def _check_packages(steps: list[Step], cfg: Config) -> None:
    """Check that the boxes have the packages that may be missing: in the image, or on this machine."""
    needed = {
        package: f"{_owner(cfg, step.name)} has the step '{step.name}'" for step in steps for package in step.packages
    }
    for package in PACKAGES.get(cfg.technique.engine, ()):
        needed[package] = f"technique '{cfg.technique.name}' has the engine '{cfg.technique.engine}'"
    if resolve(cfg.isolation.kind)[0] is IsolationKind.docker:
        for package in NOT_IN_THE_IMAGE:
            if package in needed:
                raise UserError(
                    f"{needed[package]}, which needs the package {package}, but the image does not have it. Leave it "
                    "out, or use isolation=process."
                )
        return
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        raise UserError(
            f"{needed[missing[0]]}, which needs the package {missing[0]}, and it is not installed. Install it if there "
            f"is one for this machine ({platform.machine()}, Python {platform.python_version()}), or leave the "
            "technique out."
        )


def _check_generator(cfg: Config) -> None:
    """Check that the load generator can run in the job's kind of box, if the load is open."""
    if not cfg.load.is_open:
        return
    machine = platform.machine()
    if resolve(cfg.isolation.kind)[0] is IsolationKind.docker:
        if machine != "x86_64":
            raise UserError(
                f"load is '{cfg.load.name}', which needs MLPerf's LoadGen. It exists for x86-64 only, so the image for "
                f"{machine} has none. Use load=closed."
            )
    elif find_spec("mlperf_loadgen") is None:
        raise UserError(
            f"load is '{cfg.load.name}', which needs the package mlcommons-loadgen, and it is not installed. Install "
            f"it if there is one for this machine ({machine}, Python {platform.python_version()}; there are those for "
            "x86-64 and Python 3.11 to 3.13), or use isolation=docker or load=closed."
        )


def _owner(cfg: Config, step: str) -> str:
    """Return the name of the technique or the model that has a step."""
    in_technique = any(entry.get("step") == step for entry in cfg.technique.steps)
    return f"technique '{cfg.technique.name}'" if in_technique else f"model '{cfg.model.name}'"


def _check_metrics(cfg: Config) -> None:
    if cfg.metrics:
        from runner.results.metrics import metric_of  # it imports everything that reads results, which is slow

        for name in cfg.metrics:
            metric_of(name)


def _engine_format(technique: TechniqueConfig) -> str:
    where = f"technique '{technique.name}'"
    plugin = plugins.find("engines", technique.engine, FORMATS)
    if plugin is None and technique.engine not in FORMATS:
        allowed = [*FORMATS, *plugins.names("engines")]
        raise UserError(f"{where}: there is no engine '{technique.engine}'. {did_you_mean(technique.engine, allowed)}")
    if plugin is None:
        return FORMATS[technique.engine]
    format = plugin.constant("FORMAT")
    if format is None:
        raise UserError(f'{where}: {plugin.origin} does not say which format it loads. Add a line: FORMAT = "onnx".')
    return format


def check_writable(folder: Path) -> None:
    """Make a folder, and check that a file can be written into it.

    Raises:
        UserError: if the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"The output folder {folder} (hydra.sweep.dir) cannot be written: {error.strerror}. "
            f"Name another with {OUT}, or make it writable."
        ) from None


def check_retry(retry: str | None) -> None:
    """Check the value of RETRY.

    Raises:
        UserError: if it is neither None nor 'failed'.
    """
    if retry not in (None, "failed"):
        raise UserError(f"hydra.sweeper.retry ({RETRY_FAILED}) is '{retry}', but the only value is 'failed'.")
