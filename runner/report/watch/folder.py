"""Read the progress of a sweep from the files in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.results.records.plan import current_plan
from runner.store.sweep_folder import SweepFolder

_READ = ("plan.json", "peaks.json", "trials/*/trial.json", "trials/*/lost.json", "nodes/*.json", "predictions/*.json")


@dataclass(frozen=True)
class Progress:
    """The files in a sweep's folder, and what runs next.

    Attributes:
        files: name, time of change and size of every file that tables are made of. A file that is still being written
            has another name.
        next_threads: the threads of the trial that runs now or comes next; None if all planned trials are done.
    """

    files: frozenset[tuple[str, int, int]]
    next_threads: int | None

    @property
    def is_complete(self) -> bool:
        """Return whether every planned trial has left its file. The sweep may still add a round."""
        return self.next_threads is None


def look(sweep: Path) -> Progress:
    """Look into a sweep's folder. That takes a few milliseconds for hundreds of trials.

    Raises:
        UserError: if there is no readable plan.
    """
    files = frozenset(_files(sweep))  # before the plan is read, so that a change in the meantime is noticed next time
    folder = SweepFolder(sweep)
    plan = current_plan(folder)
    first = next((trial for trial in plan.trials if not folder.trial(trial.name).exists()), None)
    return Progress(files, None if first is None else plan.job_of[first.job].threads)


def _files(sweep: Path) -> Iterator[tuple[str, int, int]]:
    for name in _READ:
        for path in sweep.glob(name):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue  # RETRY and FRESH take files away
            yield str(path), found.st_mtime_ns, found.st_size
