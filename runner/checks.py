"""Checks of a composed job before anything starts: what the dataclasses alone cannot see."""

from __future__ import annotations

from pathlib import Path

from runner import models, tasks
from runner.chain import check_chain
from runner.config import Config, TechniqueConfig
from runner.engines import FORMATS
from runner.errors import UserError, did_you_mean
from runner.isolation.choose import check_threads, memory_bytes
from runner.prepare import chain_of


def check_job(cfg: Config) -> None:
    """Check engine, chain, threads, memory, and that the model's and the task's files can be had.

    Raises:
        UserError: for the first thing that is wrong.
    """
    check_threads(cfg.threads)
    memory_bytes(cfg.isolation.memory)
    _check_engine(cfg.technique)
    own, added = chain_of(cfg)
    check_chain([*own, *added], FORMATS[cfg.technique.engine], f"technique '{cfg.technique.name}'")
    models.check(cfg.model)
    tasks.check(cfg.task)


def _check_engine(technique: TechniqueConfig) -> None:
    if technique.engine not in FORMATS:
        raise UserError(
            f"technique '{technique.name}': there is no engine '{technique.engine}'. "
            f"{did_you_mean(technique.engine, FORMATS)}"
        )


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
            f"The output folder {folder} (OUT, hydra.sweep.dir) cannot be written: {error.strerror}. "
            "Name another with OUT=…, or make it writable."
        ) from None


def check_retry(retry: str | None) -> None:
    """Check RETRY.

    Raises:
        UserError: if it is not a word that means something.
    """
    if retry not in (None, "failed"):
        raise UserError(f"RETRY (hydra.sweeper.retry) is '{retry}', but the only value is 'failed'.")
