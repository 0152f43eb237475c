"""The whole comparison of two sweeps, and its exit code."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from runner.diff import environment
from runner.diff.change import MEASURES, Change, evaluate
from runner.diff.fail_on import FAIL_ON
from runner.diff.join import Pair, Side, baseline_of, join, sides
from runner.diff.measures import changes
from runner.results.tables import Tables


@dataclass(frozen=True)
class Compared:
    """One job of both sweeps with its evaluated changes."""

    pair: Pair
    changes: list[Change]

    @property
    def real(self) -> list[Change]:
        """Return the changes that are real."""
        return [change for change in self.changes if change.real]

    def change(self, name: str) -> Change | None:
        """Return the change of a measure, None if it was not compared."""
        return next((change for change in self.changes if change.measure.name == name), None)


@dataclass(frozen=True)
class Diff:
    """The comparison of two sweeps.

    Attributes:
        a, b: the sweeps.
        environment: what differs around the jobs.
        warnings: what a reader must know first.
        compared: the jobs of both sweeps, in the order of A.
        other_inputs: the jobs of both sweeps that had different texts as inputs, so that they cannot be compared.
        only_a, only_b: the jobs that the other sweep does not have.
    """

    a: Tables
    b: Tables
    environment: list[environment.Difference]
    warnings: list[str]
    compared: list[Compared]
    other_inputs: list[Pair]
    only_a: list[Side]
    only_b: list[Side]

    @property
    def real(self) -> list[Compared]:
        """Return the jobs that really changed."""
        return [job for job in self.compared if job.real]


def diff(a: Tables, b: Tables) -> Diff:
    """Compare two collected sweeps."""
    around = environment.differences(a, b)
    same_cpu = environment.same_cpu(around)
    known: dict[str, int] = {}
    joined = join(sides(a, known), sides(b, known))
    pairs = [pair for pair in joined.pairs if pair.same_inputs]
    same_software = environment.same_software(a, around)
    by_measure: dict[str, dict[int, Change]] = defaultdict(dict)  # measure: place of the job: change
    for place, pair in enumerate(pairs):
        baseline = baseline_of(pair, pairs)
        clock = baseline if baseline is not None and same_software and baseline.same_work else None
        for change in changes(pair, clock, same_cpu):
            by_measure[change.measure.name][place] = change
    evaluated: list[list[Change]] = [[] for _ in pairs]
    for measure in MEASURES:
        of_jobs = by_measure[measure.name]
        for place, change in zip(of_jobs, evaluate(list(of_jobs.values())), strict=True):
            evaluated[place].append(change)
    return Diff(
        a=a,
        b=b,
        environment=around,
        warnings=environment.warnings(around),
        compared=[Compared(pair, changes) for pair, changes in zip(pairs, evaluated, strict=True)],
        other_inputs=[pair for pair in joined.pairs if not pair.same_inputs],
        only_a=joined.only_a,
        only_b=joined.only_b,
    )


def exit_code(comparison: Diff, fail_on: str = "any") -> int:
    """Return 0 if nothing really changed, 1 if something did (of the kind asked for), 2 if nothing can be compared."""
    if not comparison.compared:
        return 2
    directions = FAIL_ON[fail_on]
    failing = [c for job in comparison.real for c in job.real if directions is None or c.direction in directions]
    return 1 if failing else 0
