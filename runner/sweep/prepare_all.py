"""Prepare all jobs of a sweep on all cores, and measure the machine's peaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

from runner.console import announce
from runner.isolation.box import stop_all
from runner.isolation.choose import make_box
from runner.isolation.exclusive import lock_cores
from runner.machine.topology import choose_cpus, physical_cores
from runner.results.format import pluralize
from runner.store.artifacts import digest
from runner.store.sweep_folder import SweepFolder
from runner.sweep.jobs import Job
from runner.sweep.peaks import are_stored, measured_peaks
from runner.sweep.plan import Plan
from runner.sweep.prepare import chain_of
from runner.sweep.prepared import prepare_job, read_prepared

Work = Callable[[Job, list[int]], None]  # what to do with a job on these CPUs
_JOB_SECONDS, _TRAINING_SECONDS = 10.0, 60.0  # the usual time to prepare a job, and of a step that trains


def prepare_all(jobs: list[Job], folder: SweepFolder) -> None:
    """Prepare the jobs whose preparation is missing or was lost, as many at a time as there are cores.

    The first job of each model comes first, because the others use its artifacts.
    """

    def prepare(job: Job, cpus: list[int]) -> None:
        prepare_job(job.cfg, job.key, folder, cpus)

    groups = by_model([job for job in jobs if read_prepared(folder, job.key) is None])
    with _workers(folder, prepare) as submit:
        following = {submit(group[0]): group[1:] for group in groups}
        while following:
            for done in wait(following, return_when=FIRST_COMPLETED).done:
                done.result()
                following |= {submit(job): [] for job in following.pop(done)}


def usual_seconds(jobs: list[Job]) -> float:
    """Return how long preparing these jobs usually takes on all cores."""
    chains = [chain_of(job.cfg) for job in jobs]
    trainings = {digest(asdict(step)) for chain in chains for steps in chain for step in steps if step.reads_labels}
    return (_JOB_SECONDS * len(jobs) + _TRAINING_SECONDS * len(trainings)) / len(physical_cores())


def make_models(jobs: list[Job], folder: SweepFolder, make: Work) -> None:
    """Make each model once, for its first job, as many at a time as there are cores."""
    with _workers(folder, make) as submit:
        for done in [submit(group[0]) for group in by_model(jobs)]:
            done.result()


def by_model(jobs: list[Job]) -> list[list[Job]]:
    """Return the jobs of each model."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(digest(job.config["model"]), []).append(job)
    return list(groups.values())


@contextmanager
def _workers(folder: SweepFolder, work: Work) -> Iterator[Callable[[Job], Future[None]]]:
    """Yield a function that submits a job. A job gets one core, so that its result does not depend on their number.

    If anything fails, all boxes are stopped, and jobs that have not begun are cancelled.
    """
    cores: SimpleQueue[int] = SimpleQueue()
    for core in physical_cores():
        cores.put(core)

    def on_a_core(job: Job) -> None:
        core = cores.get()
        try:
            with lock_cores([core], folder.path):
                work(job, [core])
        finally:
            cores.put(core)

    with ThreadPoolExecutor(cores.qsize()) as pool:
        try:
            yield lambda job: pool.submit(on_a_core, job)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_all()
            raise


def measure_peaks(plan: Plan, folder: SweepFolder) -> None:
    """Write the machine's peak rates with each number of threads. The store keeps those that were measured before."""
    box, store = make_box(plan.jobs[0].cfg.isolation), Path(plan.config.store)
    peaks = {}
    for threads in sorted({job.config["threads"] for job in plan.jobs}):
        cpus = choose_cpus(threads)
        if not are_stored(store, box, cpus):
            announce(f"the machine's peak with {pluralize(threads, 'thread')}")
        with lock_cores(cpus, folder.path):
            peaks[threads] = asdict(measured_peaks(store, box, cpus))
    folder.write(folder.peaks, json.dumps(peaks, indent=1))
