"""One sweep from plan to report: write the plan, prepare, run the rounds, collect.

`run` needs only a function that launches a batch of Hydra jobs, so it does not care which launcher that is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console

from runner.config.paths import FRESH, OUT
from runner.config.schema import Config, IsolationConfig, IsolationKind
from runner.console import announce, say
from runner.errors import UserError
from runner.isolation.box import Box, stop_all
from runner.isolation.choose import make_box
from runner.isolation.exclusive import lock_cores, lock_sweep
from runner.machine import provenance
from runner.machine.topology import choose_cpus, physical_cores
from runner.results.format import pluralize
from runner.store.artifacts import Store, atomic_write, digest
from runner.store.recovery import clean_partial_files, clear_failed
from runner.store.sweep_folder import SCHEMA, peaks_file, prepared_file
from runner.sweep.jobs import Job, Trial, alone_pairs, order_round
from runner.sweep.peaks import are_kept, measured_peaks
from runner.sweep.prepared import prepare_job, read_prepared
from runner.sweep.reference_box import close_partner
from runner.sweep.rounds import Launch, Rounds
from runner.sweep.slots.slot import Slot
from runner.sweep.validation import check_writable

Call = Callable[..., None]  # a function and its arguments


@dataclass(frozen=True)
class Plan:
    """What a sweep does.

    Attributes:
        name: of the grid.
        config: as composed without any job's overrides.
        isolation_note: a line to print when the box is a lesser one than Docker's.
        jobs: all points of the grid, baselines among them.
        baselines: the key of each job's baseline.
        overrides: those of the command line, less Hydra's own.
        waterfalls: keys of jobs in a row; see runner/sweep/waterfall.py.
        slots: where rounds are measured at once; none if they are measured one after the other.
        slots_note: a line to print on these.
    """

    name: str
    config: Config
    isolation_note: str | None
    jobs: list[Job]
    baselines: dict[str, str | None]
    overrides: list[str]
    waterfalls: list[list[str]]
    slots: list[Slot] = field(default_factory=list)
    slots_note: str | None = None

    @property
    def isolation(self) -> str:
        """Return the kind of box of all jobs."""
        return ", ".join(sorted({job.config["isolation"]["kind"] for job in self.jobs}))

    @property
    def blocks(self) -> list[str]:
        """Return the keys of the baselines, in the order of the jobs: each stands for the jobs compared with it."""
        return list(dict.fromkeys(self.baselines[job.key] or job.key for job in self.jobs))

    def round(self, number: int) -> list[Trial]:
        """Return the trials of a round in their order; with slots, the pairs alone beside those of the first rounds."""
        trials = order_round(self.jobs, self.baselines, number, self.config.seed)
        return trials + alone_pairs(trials) if self.slots and number < self.config.measure.rounds else trials

    def record(self, trials: list[Trial], image_id: str | None, base_id: str | None) -> dict[str, Any]:
        """Return it as JSON-like values; runner/results reads them."""
        return {
            "schema": SCHEMA,
            "sweep": self.name,
            "overrides": self.overrides,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "grid": _plain(self.config.grid),
            "seed": self.config.seed,
            "metrics": self.config.metrics,
            "control_texts": self.config.control_texts,
            "isolation": self.isolation,
            "isolation_note": self.isolation_note,
            "measure": _plain(self.config.measure),
            "slots": len(self.slots) or 1,
            "jobs": [_job_record(job, self.baselines[job.key]) for job in self.jobs],
            "trials": [trial.record() for trial in trials],
            "waterfalls": self.waterfalls,
            "environment": provenance.environment() | {"image_id": image_id, "base_id": base_id},
        }


def run(
    plan: Plan, folder: Path, launch: Launch, fresh: bool, retry: str | None, call_on_node: Call | None = None
) -> None:
    """Prepare and run what is missing of the plan.

    Args:
        plan: see `Plan`.
        folder: the sweep's folder; made if it is not there.
        launch: runs a batch of Hydra jobs, given their overrides and the number of the first.
        fresh: move the folder aside first.
        retry: "failed" runs failed trials again.
        call_on_node: calls a function on a node of the cluster that trials run on; None if they run on this machine.

    Raises:
        UserError: if the folder holds another sweep, or the box cannot be made.
        MachineError: if the engine, the disk or a core has gone meanwhile.
    """
    isolations = {digest(job.config["isolation"]): job.config["isolation"] for job in plan.jobs}
    boxes = [make_box(isolation_of(isolation)) for isolation in isolations.values()]
    if fresh:
        move_aside(folder)
    check_writable(folder)
    with lock_sweep(folder):
        _run_alone(plan, folder, boxes[0], launch, retry, call_on_node)


def _run_alone(
    plan: Plan, folder: Path, box: Box, launch: Launch, retry: str | None, call_on_node: Call | None
) -> None:
    """Go on from what is in the folder, in which no other sweep runs."""
    Store(Path(plan.config.store)).remove_leftovers()
    if broken := clean_partial_files(folder):
        say(f"Not whole, so made anew: {', '.join(broken)}.")
    rounds = Rounds(plan, folder, box)
    check_same_sweep(folder, plan.record([], box.image_id, box.base_id))
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    if retry == "failed":
        clear_failed(folder)
    rounds.write_plan()
    say(_headline(plan, len(rounds.trials), len(rounds.missing())))
    for note in filter(None, (plan.isolation_note, plan.slots_note)):
        say(note)
    todo = {trial.job for trial in rounds.missing()}
    needed = todo | {plan.baselines[job] for job in todo}
    needed |= {job.key for job in plan.jobs if not prepared_file(folder, job.key).exists()}
    unprepared = [job for job in plan.jobs if job.key in needed and read_prepared(folder, job.key) is None]
    if call_on_node is None:
        prepare_all(unprepared, folder)
        if plan.config.measure.peaks and todo:
            measure_peaks(plan, folder)
    elif unprepared:
        say(f"Preparing {pluralize(len(unprepared), 'job')} on a node.")
        call_on_node(prepare_all, unprepared, folder)
    try:
        rounds.run(launch)
    finally:
        close_partner()


def measure_peaks(plan: Plan, folder: Path) -> None:
    """Write how fast this machine can be with each number of threads; from the store, where it was measured before."""
    box, store = make_box(isolation_of(plan.jobs[0].config["isolation"])), Path(plan.config.store)
    peaks = {}
    for threads in sorted({job.config["threads"] for job in plan.jobs}):
        cpus = choose_cpus(threads)
        if not are_kept(store, box, cpus):
            announce(f"the machine's peak with {pluralize(threads, 'thread')}")
        with lock_cores(cpus, folder):
            peaks[threads] = asdict(measured_peaks(store, box, cpus))
    atomic_write(peaks_file(folder), json.dumps(peaks, indent=1))


def prepare_all(jobs: list[Job], folder: Path) -> None:
    """Prepare what is not prepared yet (or no longer), as many jobs at a time as there are cores.

    Steps get one core each, always: what they make must not depend on how many there were. The first job of each model
    goes first, since the others build on what it makes.
    """
    models: dict[str, list[Job]] = {}
    for job in jobs:
        if read_prepared(folder, job.key) is None:
            models.setdefault(digest(job.config["model"]), []).append(job)
    cores: SimpleQueue[int] = SimpleQueue()
    for core in physical_cores():
        cores.put(core)

    def work(job: Job) -> None:
        core = cores.get()
        try:
            with lock_cores([core], folder):
                prepare_job(job.cfg, job.key, folder, [core])
        finally:
            cores.put(core)

    with ThreadPoolExecutor(cores.qsize()) as pool:
        following = {pool.submit(work, group[0]): group[1:] for group in models.values()}
        try:
            while following:
                for done in wait(following, return_when=FIRST_COMPLETED).done:
                    done.result()
                    following |= {pool.submit(work, job): [] for job in following.pop(done)}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise


def finish(folder: Path) -> int:
    """Collect, report, print the summary; return the sweep's exit code (0 all ok, 1 some failed, 2 none ok)."""
    from runner.report.terminal import print_summary  # pandas and plotly: not before they are needed
    from runner.report.write import collect_and_report
    from runner.results.summary import outcome

    tables = collect_and_report(folder)
    print_summary(tables, Console())
    return outcome(tables)


def move_aside(folder: Path) -> None:
    """Rename an old sweep's folder to a name that tells when it was moved.

    Raises:
        UserError: if that is not allowed.
    """
    if not folder.exists():
        return
    name = f"{folder.name}.{datetime.now():%Y%m%d-%H%M%S}"
    taken = sum(other.name.startswith(name) for other in folder.parent.iterdir())  # clocks are set back
    try:
        with lock_sweep(folder):
            folder.rename(folder.with_name(f"{name}-{taken}" if taken else name))
    except OSError as error:
        raise UserError(
            f"{FRESH} cannot move the old sweep {folder} aside: {error.strerror}. Make {folder.parent} writable, or "
            f"name another folder with {OUT}"
        ) from None


def check_same_sweep(folder: Path, record: dict[str, Any]) -> None:
    """Check that the trials already in the folder were measured as the new ones would be.

    Raises:
        UserError: if not; they must not be mixed.
    """
    path = folder / "plan.json"
    if not path.exists():
        return
    old = json.loads(path.read_text())
    for what, before, now in (
        ("isolation", old["isolation"], record["isolation"]),
        ("slots", old.get("slots", 1), record["slots"]),
        ("the image", old["environment"]["image_id"], record["environment"]["image_id"]),
        *((f"measure.{k}", old["measure"].get(k), v) for k, v in record["measure"].items() if k not in _MAY_GROW),
    ):
        if before != now:
            raise UserError(
                f"{folder} holds a sweep with other settings: {what} was {before} and is now {now}. "
                f"Start anew with {FRESH}, or name another folder with {OUT}"
            )


_MAY_GROW = ("name", "rounds", "reruns", "half_width", "max_rounds", "budget_seconds", "limits")


def _headline(plan: Plan, trials: int, missing: int) -> str:
    resumed = f", {trials - missing} of them done before" if missing < trials else ""
    at_once = f", {len(plan.slots)} at once" if plan.slots else ""
    rounds = f"{pluralize(plan.config.measure.rounds, 'round')}{at_once}, {pluralize(trials, 'trial')}{resumed}"
    return f"Sweep {plan.name}: {pluralize(len(plan.jobs), 'job')}, {rounds}; box: {plan.isolation}."


def _job_record(job: Job, baseline: str | None) -> dict[str, Any]:
    config = job.config
    names = {part: config[part]["name"] for part in ("model", "technique", "task", "workload")}
    return {
        "job": job.key,
        **names,
        "family": config["model"]["family"],
        "weights": config["model"]["weights"],
        "threads": config["threads"],
        "isolation": config["isolation"]["kind"],
        "baseline": baseline,
    }


def isolation_of(config: dict[str, Any]) -> IsolationConfig:
    """Return a job's isolation as its dataclass."""
    return IsolationConfig(**config | {"kind": IsolationKind(config["kind"])})


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(OmegaConf.structured(node), enum_to_str=True)
