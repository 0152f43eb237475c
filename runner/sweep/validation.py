"""Checks of a composed job before anything starts: what the dataclasses alone cannot see."""

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
from runner.engines.engine import FORMATS, NEED_A_COMPILER, PACKAGES
from runner.errors import UserError, did_you_mean
from runner.isolation.choose import check_threads, memory_bytes, resolve
from runner.models.source import fetch_model
from runner.store import plugins
from runner.sweep.prepare import chain_of, teacher_chain, texts_of
from runner.tasks.texts import read_kind, read_labels, read_pairs
from runner.techniques.chain import check_chain, follow_shape
from runner.techniques.shape import Shape, shape_of_config, shape_of_files
from runner.techniques.step import Step

Found = TypeVar("Found")


def check_job(cfg: Config) -> list[str]:
    """Check one job; return remarks on it; see `Checks`."""
    checks = Checks()
    checks.check(cfg)
    return checks.remarks


class Checks:
    """Checks of jobs: engine, chain, threads, memory, that the model's and the task's files can be had, and that all
    steps fit the model. What several jobs have in common is checked once.

    Args:
        here: whether trials run on this machine; a cluster's node checks by itself what it has.

    Attributes:
        remarks: what a person should know of jobs that are right, each once.
    """

    def __init__(self, here: bool = True) -> None:
        self._here = here
        self.remarks: list[str] = []
        self._found: dict[tuple[str, ...], Any] = {}

    def check(self, cfg: Config) -> None:
        """Check a job.

        Raises:
            UserError: for the first thing that is wrong.
        """
        self._once("metrics", [cfg.metrics], lambda: _check_metrics(cfg))
        if self._here:
            self._once("threads", [cfg.threads], lambda: check_threads(cfg.threads))
            self._once("memory", [cfg.isolation.memory], lambda: memory_bytes(cfg.isolation.memory))
        read = [cfg.model, cfg.technique, cfg.task, cfg.isolation, cfg.seed, cfg.store, cfg.downloads]
        shape = self._once("steps", read, lambda: self._check_steps(cfg))
        if shape.tokens is not None and cfg.workload.max_length > shape.tokens:
            raise UserError(
                f"workload '{cfg.workload.name}': workload.max_length is {cfg.workload.max_length}, but model "
                f"'{cfg.model.name}' takes at most {shape.tokens} tokens: by its positions (config.json), by "
                "model_max_length (tokenizer_config.json) or by max_seq_length (sentence_bert_config.json). Take fewer."
            )

    def _once(self, what: str, read: list[Any], check: Callable[[], Found]) -> Found:
        """Return what a check finds that reads these values only; it is made once for each of them."""
        key = (what, *map(repr, read))
        if key not in self._found:
            self._found[key] = check()
        found: Found = self._found[key]
        return found

    def _check_steps(self, cfg: Config) -> Shape:
        """Check all but threads and workload; return the shape of the model."""
        engine_format = _engine_format(cfg.technique)
        own, added = chain_of(cfg)
        check_chain([*own, *added], engine_format, f"technique '{cfg.technique.name}'")
        _check_compiler([*own, *added], cfg)
        _check_packages([*own, *added], cfg)
        texts = self._once("texts", [cfg.task, cfg.store, cfg.downloads], lambda: texts_of(cfg))
        files = self._once("files", [cfg.model, cfg.downloads], lambda: fetch_model(cfg.model, Path(cfg.downloads)))
        _check_teacher(added, cfg, texts.path)
        raw = self._once("shape", [cfg.model, files], lambda: _raw_shape(cfg.model, files))
        shape = follow_shape(own, raw, f"model '{cfg.model.name}'")
        follow_shape(added, shape, f"model '{cfg.model.name}' with technique '{cfg.technique.name}'")
        labels = self._once("labels", [texts.path], lambda: read_labels(texts.path))
        _check_labels([*own, *added], labels, cfg)
        _check_kind(self._once("kind", [texts.path], lambda: read_kind(texts.path)), [*own, *added], cfg)
        pairs = self._once("pairs", [texts.path], lambda: read_pairs(texts.path))
        _check_pairs([*own, *added], pairs, cfg)
        self._once("files fit", [cfg.model, texts.path], lambda: self._check_files(own, files, texts.path, cfg))
        return shape

    def _check_files(self, steps: list[Step], files: Path | None, texts: Path, cfg: Config) -> None:
        """Check that the model's files are what its steps make something of for this task; keep their remarks."""
        where = f"model '{cfg.model.name}'"
        for step in steps if files else ():
            assert files is not None
            said = step.check_files(files, texts, where)
            self.remarks += [f"{where} on task '{cfg.task.name}': {remark}" for remark in said]


def _check_teacher(added: list[Step], cfg: Config, texts: Path) -> None:
    """Check that a teacher has somebody to teach, by the same tokenizer, and can be had."""
    where, teacher = f"technique '{cfg.technique.name}'", cfg.technique.teacher
    pupils = [number for number, step in enumerate(added) if step.reads_teacher]
    if teacher and not pupils:
        raise UserError(
            f"{where} has a teacher, but no step that learns from one. Add the step distil, or leave it out."
        )
    for step in added[: pupils[-1]] if pupils else []:
        if step.changes_tokenizer:
            raise UserError(
                f"{where}: after the step '{step.name}', '{added[pupils[-1]].name}' cannot give student and "
                "teacher the same tokens. Put it before."
            )
    if teacher:
        chain = teacher_chain(cfg)
        check_chain(chain, "checkpoint", f"{where}: teacher '{teacher.name}'")
        if files := fetch_model(teacher, Path(cfg.downloads)):
            for step in chain:
                step.check_files(files, texts, f"{where}: teacher '{teacher.name}'")


def _raw_shape(model: ModelConfig, files: Path | None) -> Shape:
    """Return what is known of a model's raw files: by their config.json, or else by the model's YAML."""
    if files is None:
        return Shape()  # of random weights: their own step has it
    shape = shape_of_files(files)
    if shape.model_type is not None or not model.shape:
        return shape
    return replace(shape_of_config(model.shape, f"model '{model.name}': shape"), tokenizer=shape.tokenizer)


def _check_labels(steps: list[Step], labels: list[str], cfg: Config) -> None:
    hungry = [step.name for step in steps if step.reads_labels]
    if hungry and not labels:
        raise UserError(
            f"task '{cfg.task.name}' has no labels, but {_user(cfg, hungry[0])} has the step '{hungry[0]}', which "
            "learns from them. Take a task with labels, or a model that needs no training (model.weights=random)."
        )


def _check_kind(kind: str, steps: list[Step], cfg: Config) -> None:
    """Check that texts are of the kind that the task says, and that every step can serve it."""
    if kind != cfg.task.kind:
        raise UserError(f"task.kind is '{cfg.task.kind}', but the texts of task '{cfg.task.name}' are {kind}. Say so.")
    unable = next((step for step in steps if kind not in step.kinds), None)
    if unable:
        raise UserError(
            f"task '{cfg.task.name}' is of kind {kind}, but {_user(cfg, unable.name)} has the step '{unable.name}', "
            f"which is for {' and '.join(unable.kinds)}. {unable.other_kinds}"
        )


def _check_pairs(steps: list[Step], pairs: bool, cfg: Config) -> None:
    unable = [step.name for step in steps if not step.takes_pairs]
    if pairs and unable:
        raise UserError(
            f"task '{cfg.task.name}' has pairs of texts, but {_user(cfg, unable[0])} has the step '{unable[0]}', whose "
            "result cannot tell the two apart. Exclude the two from meeting in the grid."
        )


def _check_compiler(steps: list[Step], cfg: Config) -> None:
    hungry = [f"{_user(cfg, step.name)} has the step '{step.name}'" for step in steps if step.needs_compiler]
    if cfg.technique.engine in NEED_A_COMPILER:
        hungry.append(f"technique '{cfg.technique.name}' has the engine '{cfg.technique.engine}'")
    if not hungry:
        return
    if resolve(cfg.isolation.kind)[0] is IsolationKind.docker:
        raise UserError(
            f"{hungry[0]}, which needs a C++ compiler, and the image has none. Leave it out, or take isolation=process."
        )
    if not shutil.which("g++"):
        raise UserError(
            f"{hungry[0]}, which needs a C++ compiler, and there is no g++ on this machine. Install it, or leave the "
            "technique out."
        )


def _check_packages(steps: list[Step], cfg: Config) -> None:
    """Check that this machine has the packages that are not made for every machine. The image has them all."""
    needed = {
        package: f"{_user(cfg, step.name)} has the step '{step.name}'" for step in steps for package in step.packages
    }
    for package in PACKAGES.get(cfg.technique.engine, ()):
        needed[package] = f"technique '{cfg.technique.name}' has the engine '{cfg.technique.engine}'"
    missing = [package for package in needed if find_spec(package) is None]
    if missing and resolve(cfg.isolation.kind)[0] is IsolationKind.process:
        raise UserError(
            f"{needed[missing[0]]}, which needs the package {missing[0]}, and it is not installed. Install it if there "
            f"is one for this machine ({platform.machine()}, Python {platform.python_version()}), or leave the "
            "technique out."
        )


def _user(cfg: Config, step: str) -> str:
    in_technique = any(entry.get("step") == step for entry in cfg.technique.steps)
    return f"technique '{cfg.technique.name}'" if in_technique else f"model '{cfg.model.name}'"


def _check_metrics(cfg: Config) -> None:
    if cfg.metrics:
        from runner.results.metrics import metric_of  # and with it all that reads results

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
    loads = plugin.constant("FORMAT")
    if loads is None:
        raise UserError(f'{where}: {plugin.origin} does not say which format it loads. Add a line: FORMAT = "onnx".')
    return loads


def check_writable(folder: Path) -> None:
    """Make the folder, and check that a file can be written into it.

    Raises:
        UserError: if not.
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
    """Check RETRY.

    Raises:
        UserError: if it is not a word that means something.
    """
    if retry not in (None, "failed"):
        raise UserError(f"hydra.sweeper.retry ({RETRY_FAILED}) is '{retry}', but the only value is 'failed'.")
