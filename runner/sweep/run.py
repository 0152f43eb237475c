"""One sweep from plan to report: write the plan, prepare, run the rounds, collect.

`run` needs only a function that launches trials, so it does not depend on which launcher that is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console

from runner.config.job_file import write_jobs
from runner.config.paths import FRESH, OUT
from runner.console import announce, say
from runner.errors import UserError
from runner.isolation.box import Box, stop_all
from runner.isolation.choose import make_box
from runner.isolation.exclusive import lock_cores, lock_sweep
from runner.machine.topology import choose_cpus, physical_cores
from runner.results.format import pluralize
from runner.results.records.plan import PlanRecord, read_plan
from runner.store.artifacts import Store, digest
from runner.store.recovery import clean_partial_files, clear_failed
from runner.store.sweep_folder import SweepFolder
from runner.sweep.jobs import Job
from runner.sweep.partner import close_partner
from runner.sweep.peaks import are_kept, measured_peaks
from runner.sweep.plan import Plan
from runner.sweep.prepared import prepare_job, read_prepared
from runner.sweep.rounds import Launch, Rounds
from runner.sweep.validation import check_writable

Call = Callable[..., None]  # a function and its arguments


def run(
    plan: Plan, folder: SweepFolder, launch: Launch, fresh: bool, retry: str | None, call_on_node: Call | None = None
) -> None:
    """Prepare and run what is missing of the plan.

    Args:
        plan: see `Plan`.
        folder: the sweep's; made if it is not there.
        launch: runs a batch of trials, given the number of the first.
        fresh: move the folder aside first.
        retry: "failed" runs failed trials again.
        call_on_node: calls a function on a node of the cluster that trials run on; None if they run on this machine.

    Raises:
        UserError: if the folder holds another sweep, or the box cannot be made.
        MachineError: if the engine, the disk or a core has gone meanwhile.
    """
    plan, box = plan.with_images()
    if fresh:
        move_aside(folder)
    check_writable(folder.path)
    with lock_sweep(folder):
        _run_locked(plan, folder, box, launch, retry, call_on_node)


def _run_locked(
    plan: Plan, folder: SweepFolder, box: Box, launch: Launch, retry: str | None, call_on_node: Call | None
) -> None:
    """Go on from what is in the folder, in which no other sweep runs."""
    Store(Path(plan.config.store)).remove_leftovers()
    if broken := clean_partial_files(folder):
        say(f"Not whole, so made anew: {', '.join(broken)}.")
    rounds = Rounds(plan, folder, box)
    check_same_sweep(folder, plan.record([], box))
    folder.trials.mkdir(parents=True, exist_ok=True)
    if retry == "failed":
        clear_failed(folder)
    write_jobs(folder, {job.key: job.config for job in plan.jobs})
    rounds.write_plan()
    say(_headline(plan, len(rounds.trials), len(rounds.missing())))
    for note in filter(None, (plan.isolation_note, plan.slots_note)):
        say(note)
    todo = {trial.job for trial in rounds.missing()}
    needed = todo | {plan.baselines[job] for job in todo}
    needed |= {job.key for job in plan.jobs if not folder.prepared(job.key).exists()}
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


def measure_peaks(plan: Plan, folder: SweepFolder) -> None:
    """Write how fast this machine can be with each number of threads; from the store, where it was measured before."""
    box, store = make_box(plan.jobs[0].cfg.isolation), Path(plan.config.store)
    peaks = {}
    for threads in sorted({job.config["threads"] for job in plan.jobs}):
        cpus = choose_cpus(threads)
        if not are_kept(store, box, cpus):
            announce(f"the machine's peak with {pluralize(threads, 'thread')}")
        with lock_cores(cpus, folder.path):
            peaks[threads] = asdict(measured_peaks(store, box, cpus))
    folder.write(folder.peaks, json.dumps(peaks, indent=1))


def prepare_all(jobs: list[Job], folder: SweepFolder) -> None:
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
            with lock_cores([core], folder.path):
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


def finish(folder: SweepFolder) -> int:
    """Collect, report, print the summary; return the sweep's exit code (0 all ok, 1 some failed, 2 none ok)."""
    from runner.report.terminal import print_summary  # pandas and plotly: not before they are needed
    from runner.report.write import collect_and_report
    from runner.results.summary import outcome

    tables = collect_and_report(folder.path)
    print_summary(tables, Console())
    return outcome(tables)


def move_aside(folder: SweepFolder) -> None:
    """Rename an old sweep's folder to a name that tells when it was moved.

    Raises:
        UserError: if that is not allowed.
    """
    path = folder.path
    if not path.exists():
        return
    name = f"{path.name}.{datetime.now():%Y%m%d-%H%M%S}"
    taken = sum(other.name.startswith(name) for other in path.parent.iterdir())  # clocks are set back
    try:
        with lock_sweep(folder):
            path.rename(path.with_name(f"{name}-{taken}" if taken else name))
    except OSError as error:
        raise UserError(
            f"{FRESH} cannot move the old sweep {path} aside: {error.strerror}. Make {path.parent} writable, or "
            f"name another folder with {OUT}"
        ) from None


def check_same_sweep(folder: SweepFolder, record: PlanRecord) -> None:
    """Check that the trials already in the folder were measured as the new ones would be.

    Raises:
        UserError: if not; they must not be mixed.
    """
    if not folder.plan.exists():
        return
    start_again = f"Start anew with {FRESH}, or name another folder with {OUT}"
    try:
        old = read_plan(folder)
    except UserError as error:
        raise UserError(f"{str(error).partition(' Run the sweep again')[0]} {start_again}") from None
    for what, before, now in (
        ("isolation", old.isolation, record.isolation),
        ("slots", old.slots, record.slots),
        ("the image", old.environment.get("image_id"), record.environment["image_id"]),
        *((f"measure.{k}", old.measure.get(k), v) for k, v in record.measure.items() if k not in _MAY_GROW),
    ):
        if before != now:
            raise UserError(
                f"{folder.path} holds a sweep with other settings: {what} was {before} and is now {now}. {start_again}"
            )


_MAY_GROW = ("name", "rounds", "reruns", "half_width", "max_rounds", "budget_seconds", "limits")


def _headline(plan: Plan, trials: int, missing: int) -> str:
    resumed = f", {trials - missing} of them done before" if missing < trials else ""
    at_once = f", {len(plan.slots)} at once" if plan.slots else ""
    rounds = f"{pluralize(plan.config.measure.rounds, 'round')}{at_once}, {pluralize(trials, 'trial')}{resumed}"
    return f"Sweep {plan.name}: {pluralize(len(plan.jobs), 'job')}, {rounds}; box: {plan.isolation}."
