"""The launcher: each round of jobs with one baseline becomes one Slurm job, which gets a node for itself.

Hydra's own submitit launcher makes every trial a job, and gives up on all at the first that is lost. Here one that is
lost becomes rows with a reason, and the same command measures them again. A node reads what it measures from the
sweep's folder, which all nodes share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from runner.console import say
from runner.errors import UserError
from runner.results.records.plan import read_plan
from runner.store.artifacts import digest
from runner.store.sweep_folder import SweepFolder
from runner.sweep.cluster import node, slurm
from runner.sweep.cluster.units import Unit, note_lost, noted_node, set_aside_unreachable, units_of
from runner.sweep.launching import trials_named
from runner.sweep.trial import run_trial


class PinboxSlurmLauncher(Launcher):
    """See the module.

    Args:
        settings: conf/hydra/launcher/slurm.yaml.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = {key: _plain(value) for key, value in settings.items()}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra."""
        self._sweep = SweepFolder(Path(config.hydra.sweep.dir).absolute())
        self._name = f"{self._settings['name']}-{digest(str(self._sweep.path))[:8]}"

    def begin(self, resume: bool) -> None:
        """Check that Slurm can be used.

        Args:
            resume: go on with what is there, but set rounds aside that a node began which cannot be had any more.

        Raises:
            UserError: if it cannot be used, or still works on this sweep.
        """
        slurm.check(self._name)
        for unit in set_aside_unreachable(self._sweep, slurm.usable_nodes()) if resume else ():
            say(f"The node of {unit} is gone: it is measured anew.")

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function on a node.

        Raises:
            UserError: if that is lost.
        """
        jobs = self._submit(None, _Call(function, arguments), [()])
        ends: list[slurm.Ended] = []
        slurm.wait(jobs, self._name, lambda _, ended: ends.append(ended))
        if why := ends[0].error or ends[0].result:
            raise UserError(f"Preparing was lost {why} ({ends[0].log}). Repeat the command to go on.")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run trials on as many nodes as there are rounds and Slurm gives; files tell how they went."""
        trials = read_plan(self._sweep).named(trials_named(job_overrides))
        units = units_of(trials)
        by_node: dict[str | None, list[Unit]] = {}
        for unit in units:
            note = noted_node(self._sweep, unit.name)
            by_node.setdefault(note["node"] if note else None, []).append(unit)
        ordered, jobs = [unit for group in by_node.values() for unit in group], []
        work = _Work(self._sweep)
        try:
            for name, group in by_node.items():
                jobs += self._submit(name, work, group)
            say(f"Slurm: {len(units)} rounds of {len(trials)} trials, each round on one node; job {self._name}.")
            self._wait(ordered, jobs)
        except UserError:
            slurm.cancel(self._name)
            raise
        return []

    def _submit(self, name: str | None, function: Callable[[Any], Any], work: Sequence[Any]) -> list[Any]:
        return slurm.submit(self._settings, self._sweep.slurm_logs, self._name, name, function, work)

    def _wait(self, units: list[Unit], jobs: list[Any]) -> None:
        ended_before = 0

        def on_end(number: int, ended: slurm.Ended) -> None:
            nonlocal ended_before
            ended_before += 1
            lost = _note_lost(units[number], ended, self._sweep)
            how = f"{len(lost)} of {len(units[number].trials)} trials lost: {lost[0]}" if lost else "measured"
            note = noted_node(self._sweep, units[number].name)
            where = f" on {note['node']}" if note else ""
            say(f"[{ended_before}/{len(units)}] {units[number].name}{where}: {how}")

        slurm.wait(jobs, self._name, on_end)


class _Work:
    """Runs a unit on a node; travels there pickled."""

    def __init__(self, sweep: SweepFolder) -> None:
        self._sweep = sweep

    def __call__(self, unit: Unit) -> dict[str, str]:
        return node.run_unit(unit, self._sweep, run_trial)


class _Call:
    """Calls a function on a node; travels there pickled."""

    def __init__(self, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments

    def __call__(self, _: Any) -> str | None:
        return node.run_here(self._function, *self._arguments)


def _note_lost(unit: Unit, ended: slurm.Ended, sweep: SweepFolder) -> list[str]:
    """Note the trials of an ended job that have no file; return the reasons."""
    reasons = []
    log = sweep.relative(ended.log) if ended.log.exists() else None
    for name in (trial.name for trial in unit.trials):
        if not sweep.trial(name).exists():
            reason = ended.error or ended.result.get(name, "its file is not there: is the folder shared by all nodes?")
            note_lost(sweep, name, reason, log)
            reasons.append(reason)
    return reasons


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
