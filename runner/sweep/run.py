"""Run one sweep from plan to report: write the plan, prepare the jobs, run the rounds, and collect the results.

`run` needs only a function that launches trials, so it does not depend on the launcher.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from runner.config.job_file import write_jobs
from runner.config.paths import FRESH, OUT
from runner.console import announce, console, detail, end_region, minutes, say, show_table, stage
from runner.errors import UserError
from runner.isolation.box import Box
from runner.isolation.exclusive import lock_sweep
from runner.results.format import pluralize
from runner.results.records.plan import PlanRecord, TrialSpec, read_plan
from runner.store.artifacts import Store
from runner.store.recovery import clean_partial_files, clear_failed
from runner.store.sweep_folder import SweepFolder
from runner.sweep.load import capacity
from runner.sweep.missing_image import build_missing_image
from runner.sweep.partner import close_partner
from runner.sweep.plan import Plan
from runner.sweep.prepare_all import measure_peaks, prepare_all, usual_seconds
from runner.sweep.prepared import read_prepared
from runner.sweep.rounds import AfterRound, Launch, Rounds
from runner.sweep.validation import check_writable
from runner.trial.turns import timed_seconds

Call = Callable[..., None]  # a function and its arguments


def run(
    plan: Plan,
    folder: SweepFolder,
    launch: Launch,
    fresh: bool,
    retry: str | None,
    call_on_node: Call | None = None,
    one_by_one: bool = False,
) -> None:
    """Prepare and run the missing trials of the plan.

    Args:
        plan: the plan.
        folder: the sweep's folder, which is made if it does not exist.
        launch: a function that runs a batch of trials. It also gets the number of the first one.
        fresh: whether to move the folder aside first.
        retry: "failed" to run failed trials again, or None.
        call_on_node: a function that calls a function on a node of the cluster where trials run, or None if they run on
            this machine.
        one_by_one: whether to launch round by round and show the table after each, instead of all rounds together.

    Raises:
        UserError: if the folder holds another sweep, or if the box cannot be made.
        MachineError: if the engine, the disk or a core is lost while the sweep runs.
    """
    if call_on_node is None:
        build_missing_image(plan, folder)
    plan, box = plan.with_images()
    if fresh:
        move_aside(folder)
    check_writable(folder.path)
    show = partial(_show_table, plan, folder) if one_by_one else None
    with lock_sweep(folder):
        _run_locked(plan, folder, box, launch, retry, call_on_node, show)


def _run_locked(
    plan: Plan,
    folder: SweepFolder,
    box: Box,
    launch: Launch,
    retry: str | None,
    call_on_node: Call | None,
    show: AfterRound | None,
) -> None:
    """Continue the sweep in its folder, which this process has locked."""
    Store(Path(plan.config.store)).remove_stale_staging_dirs()
    if broken := clean_partial_files(folder):
        say(f"Incomplete, so made again: {', '.join(broken)}.")
    rounds = Rounds(plan, folder, box)
    check_same_sweep(folder, plan.record([], box))
    folder.trials.mkdir(parents=True, exist_ok=True)
    if retry == "failed":
        clear_failed(folder)
    write_jobs(folder, {job.key: job.config for job in plan.jobs})
    rounds.write_plan()
    detail(_headline(plan, rounds.trials, rounds.missing()))
    for note in filter(None, (plan.isolation_note, plan.slots_note)):
        detail(note)
    todo = {trial.job for trial in rounds.missing()}
    needed = todo | {plan.baselines[job] for job in todo}
    needed |= {job.key for job in plan.jobs if not folder.prepared(job.key).exists()}
    unprepared = [job for job in plan.jobs if job.key in needed and read_prepared(folder, job.key) is None]
    if call_on_node is None:
        if unprepared:
            with stage(f"artifacts of {pluralize(len(unprepared), 'job')}", usual_seconds(unprepared)):
                prepare_all(unprepared, folder)
        if plan.config.measure.peaks and todo:
            measure_peaks(plan, folder)
    elif unprepared:
        say(f"Preparing {pluralize(len(unprepared), 'job')} on a node.")
        call_on_node(prepare_all, unprepared, folder)
    try:
        rounds.run(launch, show)
    finally:
        close_partner()


def _show_table(plan: Plan, folder: SweepFolder, rounds_done: int) -> None:
    """Show the results after some of the rounds."""
    from runner.report.terminal import interim_summary  # here, because it imports pandas, which is slow
    from runner.results.collect import collect

    title = f"After round {rounds_done} of {plan.config.measure.rounds}; each round narrows the intervals."
    if rounds_done == 1:
        title = f"After round 1 of {plan.config.measure.rounds}; the second round gives intervals and verdicts."
    show_table(interim_summary(collect(folder.path), title, console.width))


def finish(folder: SweepFolder) -> int:
    """Collect the results, write the report, and print the summary.

    Returns:
        The sweep's exit code: 0 if all trials are ok, 1 if some failed, 2 if none is ok.
    """
    from runner.report.terminal import print_summary  # here, because it imports pandas and plotly, which are slow
    from runner.report.write import collect_and_report
    from runner.results.summary import outcome

    announce("the report")
    tables = collect_and_report(folder.path)
    end_region()
    print_summary(tables, Console())
    return outcome(tables)


def move_aside(folder: SweepFolder) -> None:
    """Rename an old sweep's folder to a name with the current time.

    Raises:
        UserError: if the folder cannot be renamed.
    """
    path = folder.path
    if not path.exists():
        return
    name = f"{path.name}.{datetime.now():%Y%m%d-%H%M%S}"
    taken = sum(other.name.startswith(name) for other in path.parent.iterdir())  # a clock may be set back
    try:
        with lock_sweep(folder):
            path.rename(path.with_name(f"{name}-{taken}" if taken else name))
    except OSError as error:
        raise UserError(
            f"{FRESH} cannot move the old sweep {path} aside: {error.strerror}. Make {path.parent} writable, or "
            f"name another folder with {OUT}"
        ) from None


def check_same_sweep(folder: SweepFolder, record: PlanRecord) -> None:
    """Check that the trials in the folder were measured with the same settings as the new ones.

    Raises:
        UserError: if the settings differ, because such trials must not be mixed.
    """
    if not folder.plan.exists():
        return
    start_again = f"Start a new sweep with {FRESH}, or name another folder with {OUT}"
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


_MAY_GROW = ("name", "rounds", "reruns", "half_width", "max_rounds", "budget_seconds", "cold_starts", "limits")


def _headline(plan: Plan, trials: list[TrialSpec], missing: list[TrialSpec]) -> str:
    resumed = f", {len(trials) - len(missing)} of them done before" if len(missing) < len(trials) else ""
    at_once = f", {len(plan.slots)} at once" if plan.slots else ""
    rounds = f"{pluralize(plan.config.measure.rounds, 'round')}{at_once}, {pluralize(len(trials), 'trial')}{resumed}"
    usually = f", which usually take {minutes(_usual_seconds(plan, missing))}" if missing and not plan.slots else ""
    return f"Sweep {plan.name}: {pluralize(len(plan.jobs), 'job')}, {rounds}{usually}; box: {plan.isolation}."


def _usual_seconds(plan: Plan, trials: list[TrialSpec]) -> float:
    """Return how long these trials usually take: to import the engine, to call it, and to find the capacity."""
    uses_torch = {job.key: job.cfg.technique.engine not in _QUICK_ENGINES for job in plan.jobs}
    timed = {job.key: timed_seconds(plan.config.measure.timed_seconds, job.cfg.threads) for job in plan.jobs}
    imports = sum(_TORCH_SECONDS if uses_torch[trial.job] else _ENGINE_SECONDS for trial in trials)
    searches = {job.key: capacity.usual_seconds(job.cfg.load) if job.cfg.load.is_open else 0.0 for job in plan.jobs}
    return imports + sum(timed[trial.job] + searches[trial.job] for trial in trials)


_QUICK_ENGINES, _ENGINE_SECONDS, _TORCH_SECONDS = ("onnxruntime", "openvino"), 1.0, 5.0
