"""Launch each round of the jobs that share a baseline as one Slurm job, which has a node for itself.

Hydra's own submitit launcher makes a job of every trial, and stops all of them when one is lost. Here the trials of a
lost job become rows with a reason, and the same command measures them again. A node reads the plan from the sweep's
folder, which all nodes share.
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
    """Launch trials on a Slurm cluster.

    Args:
        settings: the settings of conf/hydra/launcher/slurm.yaml.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = {key: _plain(value) for key, value in settings.items()}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Set the sweep's folder and the name of its Slurm jobs. Hydra calls this method."""
        self._sweep = SweepFolder(Path(config.hydra.sweep.dir).absolute())
        self._name = f"{self._settings['name']}-{digest(str(self._sweep.path))[:8]}"

    def begin(self, resume: bool) -> None:
        """Check that Slurm can be used.

        Args:
            resume: whether to continue the sweep that is in the folder. Then unfinished rounds whose node is gone are
                measured again.

        Raises:
            UserError: if Slurm cannot be used, or if it still has jobs of this sweep.
        """
        slurm.check(self._name)
        for unit in set_aside_unreachable(self._sweep, slurm.usable_nodes()) if resume else ():
            say(f"The node of {unit} is gone, so {unit} is measured again.")

    def call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run a function on a node.

        Raises:
            UserError: if the Slurm job is lost.
        """
        jobs = self._submit(None, _Call(function, arguments), [()])
        ends: list[slurm.Ended] = []
        slurm.wait(jobs, self._name, lambda _, ended: ends.append(ended))
        if reason := ends[0].error or ends[0].result:
            raise UserError(f"The preparation was lost {reason} ({ends[0].log}). Repeat the command to continue.")

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run trials on as many nodes as Slurm provides, up to the number of rounds. The results are files."""
        trials = read_plan(self._sweep).named(trials_named(job_overrides))
        units = units_of(trials)
        by_node: dict[str | None, list[Unit]] = {}
        for unit in units:
            note = noted_node(self._sweep, unit.name)
            by_node.setdefault(note["node"] if note else None, []).append(unit)
        ordered = [unit for group in by_node.values() for unit in group]
        jobs: list[Any] = []
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
        ended_count = 0

        def on_end(number: int, ended: slurm.Ended) -> None:
            nonlocal ended_count
            ended_count += 1
            lost = _note_lost(units[number], ended, self._sweep)
            result = f"{len(lost)} of {len(units[number].trials)} trials lost: {lost[0]}" if lost else "measured"
            note = noted_node(self._sweep, units[number].name)
            where = f" on {note['node']}" if note else ""
            say(f"[{ended_count}/{len(units)}] {units[number].name}{where}: {result}")

        slurm.wait(jobs, self._name, on_end)


class _Work:
    """Run a unit on a node. The object is pickled and sent there."""

    def __init__(self, sweep: SweepFolder) -> None:
        self._sweep = sweep

    def __call__(self, unit: Unit) -> dict[str, str]:
        return node.run_unit(unit, self._sweep, run_trial)


class _Call:
    """Call a function on a node. The object is pickled and sent there."""

    def __init__(self, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._function, self._arguments = function, arguments

    def __call__(self, _: Any) -> str | None:
        return node.run_here(self._function, *self._arguments)


def _note_lost(unit: Unit, ended: slurm.Ended, sweep: SweepFolder) -> list[str]:
    """Record the lost trials of an ended job, which have no file, and return the reasons."""
    reasons = []
    log = sweep.relative(ended.log) if ended.log.exists() else None
    for name in (trial.name for trial in unit.trials):
        if not sweep.trial(name).exists():
            reason = ended.error or ended.result.get(name, "its file is missing. Do all nodes share the folder?")
            note_lost(sweep, name, reason, log)
            reasons.append(reason)
    return reasons


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
