"""Expand a grid into jobs, check them all, and launch the trials that are not done yet.

The sweeper decides what runs and in which order, and the Hydra launcher decides where it runs. A trial is done if its
file exists. So the same command continues an interrupted sweep.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobStatus
from hydra.errors import HydraException
from omegaconf import OmegaConf, read_write
from omegaconf.errors import OmegaConfBaseException

from hydra_plugins.pinbox_slurm.launcher import PinboxSlurmLauncher
from runner.config.composer import Parts, without_hydra
from runner.config.messages import explain, in_own_file
from runner.config.overrides import override_line, quoted, remark_on_overridden_keys
from runner.config.paths import FRESH
from runner.config.schema import Config, IsolationKind
from runner.console import say, show_only_status
from runner.errors import MachineError, UserError, exit_code_of, stop_before
from runner.isolation.choose import resolve
from runner.results.records.plan import TrialSpec
from runner.store.sweep_folder import SweepFolder
from runner.sweep.jobs import Job, blocks, find_baselines, is_excluded, job_key
from runner.sweep.launching import override_of
from runner.sweep.plan import Plan
from runner.sweep.run import finish, run
from runner.sweep.slots.choose import choose_slots
from runner.sweep.slots.launch import InSlots
from runner.sweep.slots.slot import Slot
from runner.sweep.validation import Checks, check_retry
from runner.sweep.waterfall import find_waterfalls


@dataclass
class PinboxSweeperConf:
    """The sweeper's settings.

    Attributes:
        fresh: whether to rename the old folder and begin a new sweep.
        retry: `failed` to run failed trials again.
        collect: whether to collect the results, and print them. A search collects the results of all its sweeps
            together, and prints its own lines.
    """

    _target_: str = "hydra_plugins.pinbox_sweeper.sweeper.PinboxSweeper"
    fresh: bool = False
    retry: str | None = None
    collect: bool = True


ConfigStore.instance().store(group="hydra/sweeper", name="pinbox", node=PinboxSweeperConf, provider="pinbox")


class PinboxSweeper(BasicSweeper):
    """Hydra's sweeper for Pinbox; see the module."""

    def __init__(self, fresh: bool, retry: str | None, collect: bool) -> None:
        super().__init__(max_batch_size=None)
        self._fresh, self._retry, self._collect = fresh, retry, collect
        if not collect:
            show_only_status()

    def sweep(self, arguments: list[str]) -> Any:
        """Plan and prepare the sweep, run every round, and end the process with the sweep's exit code.

        Raises:
            UserError: if something in the grid is not valid. It is raised before anything starts.
        """
        check_retry(self._retry)
        plan, folder = self.plan(arguments), self._pinned_folder()
        try:
            if self._cluster:
                self._cluster.begin(resume=not self._fresh)
            call = self._cluster.call if self._cluster else None
            launch = InSlots(plan.slots, plan.blocks, self._launch) if plan.slots else self._launch
            one_by_one = self._collect and type(self.launcher) is BasicLauncher and not plan.slots
            run(plan, folder, launch, self._fresh, self._retry, call_on_node=call, one_by_one=one_by_one)
            stop = None
        except BaseException as error:
            stop = stop_before(error)
            if stop is None:
                if self._collect and isinstance(error, MachineError):
                    self._report_if_possible(folder)
                raise
        if not self._collect:
            raise SystemExit(exit_code_of(stop) if stop else 0)
        if stop:
            without = f", without {FRESH}," if self._fresh else ""
            say(f"Stopped. What was measured is kept, and the same command{without} goes on from here.")
        code = finish(folder)
        raise SystemExit(exit_code_of(stop) if stop else code)

    def plan(self, arguments: list[str]) -> Plan:
        """Return the plan of the sweep. Every job is composed and checked.

        Raises:
            UserError: if something in the grid is not valid.
        """
        assert self.config is not None
        HydraConfig.instance().set_config(self.config)  # hydra.sweep.dir needs it for the name of the grid
        cfg = OmegaConf.to_object(without_hydra(self.config))
        assert isinstance(cfg, Config)
        self._cluster = self.launcher if isinstance(self.launcher, PinboxSlurmLauncher) else None
        self._kind, note = resolve(cfg.isolation.kind)
        self._parts = self._begin_composing(arguments)
        self._overrides: dict[str, list[str]] = {}
        self._checks = Checks(local=self._cluster is None)
        jobs = self._with_baselines(self._expand(cfg, arguments), cfg)
        for remark in [remark_on_overridden_keys(cfg.grid.union or [], arguments), *self._checks.remarks]:
            if remark:
                say(remark)
        slots, slots_note = self._slots(cfg.slots, jobs)
        return Plan(
            name=self.config.hydra.runtime.choices.get("grid") or Path(self.config.hydra.sweep.dir).name,
            config=cfg,
            isolation_note=note,
            jobs=jobs,
            baselines=find_baselines(jobs, cfg.grid.baseline),
            overrides=[line for line in arguments if not line.lstrip("+~").startswith("hydra")],
            waterfalls=_waterfalls(jobs, cfg, arguments),
            slots=slots,
            slots_note=slots_note,
        )

    def _slots(self, count: Any, jobs: list[Job]) -> tuple[list[Slot], str | None]:
        """Return the slots of this machine, and a line to print about them; see `choose_slots`."""
        if any(job.cfg.slots != count for job in jobs):
            raise UserError(
                "grid.union sets slots, but slots apply to the whole sweep. Set the key beside `grid:`, or with ARGS."
            )
        if count != 1 and type(self.launcher) is not BasicLauncher:
            raise UserError(
                f"slots is {count}, but with this launcher (LAUNCHER, hydra/launcher) rounds run elsewhere: on a "
                "cluster, each round has a node for itself. Leave slots out."
            )
        return choose_slots(count, max(job.cfg.cores for job in jobs))

    def _pinned_folder(self) -> SweepFolder:
        """Return the sweep's folder, and pass its path to every trial.

        By default the path contains the name of the grid, which trials do not know.
        """
        assert self.config is not None
        path = self.config.hydra.sweep.dir
        with read_write(self.config.hydra):
            self.config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quoted(path)}")
        return SweepFolder(Path(path))

    def _launch(self, trials: list[TrialSpec], first: int) -> None:
        """Launch trials. With Hydra's basic launcher, launch them one by one, because it keeps all their configs."""
        assert self.launcher is not None
        at_once = 1 if type(self.launcher) is BasicLauncher else len(trials)
        for begin in range(0, len(trials), at_once):
            batch = [[override_of(trial.name)] for trial in trials[begin : begin + at_once]]
            for ended in self.launcher.launch(batch, initial_job_idx=first + begin):
                if ended.status is JobStatus.FAILED:
                    raise ended._return_value  # Hydra's `return_value` would print another line

    def _report_if_possible(self, folder: SweepFolder) -> None:
        try:
            finish(folder)
        except (OSError, UserError):
            pass  # the disk is full, and the error that stopped the sweep is raised next

    def _expand(self, cfg: Config, arguments: Sequence[str]) -> list[Job]:
        """Return the checked jobs of all sub-grids, each job once. The command line overrides the sub-grids."""
        assert self.config is not None
        grid, jobs = self.config.hydra.runtime.choices.get("grid"), dict[str, Job]()
        for number, subgrid in enumerate(cfg.grid.union or [{}]):
            where = f"conf/grid/{grid}.yaml: grid.union[{number}]" if grid else f"grid.union[{number}]"
            for overrides in self._combinations(subgrid, arguments, where):
                try:
                    job = self._job(overrides)
                except (HydraException, OmegaConfBaseException) as error:
                    if not subgrid:
                        raise  # the command line is wrong, and not the sub-grid
                    raise UserError(f"{where}: {explain(error)}") from error
                if job.key not in jobs and not is_excluded(job.config, cfg.grid.exclude):
                    jobs[job.key] = job
                    self._overrides[job.key] = overrides
        if not jobs:
            raise UserError("The grid gives no job: every combination of grid.union matches a rule of grid.exclude.")
        return list(jobs.values())

    def _with_baselines(self, jobs: list[Job], cfg: Config) -> list[Job]:
        """Add a baseline to every block of jobs without one, because a ratio needs it."""
        if cfg.grid.baseline is None:
            return jobs
        missing = [block[0] for block in blocks(jobs) if find_baselines(block, cfg.grid.baseline)[block[0].key] is None]
        baseline = f"technique={cfg.grid.baseline}"
        return [*jobs, *(self._job([*self._overrides[job.key], baseline]) for job in missing)]

    def _job(self, overrides: list[str]) -> Job:
        """Compose and check one job."""
        cfg, plain = self._parts.compose(overrides)
        if cfg.isolation.kind is IsolationKind.auto:
            overrides = [*overrides, f"isolation.kind={self._kind.value}"]
            cfg, plain = self._parts.compose(overrides)
        try:
            self._checks.check(cfg)
        except UserError as error:
            raise in_own_file(error, plain, self._choices(overrides)) from None
        return Job(job_key(plain), cfg, plain)

    def _choices(self, overrides: list[str]) -> dict[str, str | None]:
        """Return a job's choice in each config group."""
        assert self.hydra_context is not None
        assert self.config is not None
        composed = self.hydra_context.config_loader.load_sweep_config(self.config, overrides)
        return dict(composed.hydra.runtime.choices)

    def _combinations(self, subgrid: dict[str, Any], arguments: Sequence[str], where: str) -> list[list[str]]:
        """Return the overrides of each job of a sub-grid: the product of its lists and those of the command line."""
        return self._split([*(override_line(key, value, where) for key, value in subgrid.items()), *arguments])

    def _split(self, lines: Sequence[str]) -> list[list[str]]:
        """Return all combinations of the choices in some overrides."""
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        return BasicSweeper.split_arguments(parser.parse_overrides(list(lines)), None)[0]

    def _begin_composing(self, arguments: Sequence[str]) -> Parts:
        assert self.hydra_context is not None
        assert self.config is not None
        loader = self.hydra_context.config_loader
        assert isinstance(loader, ConfigLoaderImpl)
        first, *others = self._split(arguments)
        return Parts(loader, self.config, [line for line in first if all(line in o for o in others)])


def _waterfalls(jobs: list[Job], cfg: Config, arguments: Sequence[str]) -> list[list[str]]:
    """Return the grid's waterfalls, or none if the command line leaves out a job that they need."""
    try:
        return find_waterfalls(jobs, cfg.grid.waterfall)
    except UserError as error:
        if all(line.startswith(("grid=", "hydra")) for line in arguments):
            raise
        say(f"There will be no waterfall. {error}")
        return []
