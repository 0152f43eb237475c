"""Run the rounds of a sweep until enough of them were undisturbed and every interval is narrow enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from typing import Any

from runner.console import detail
from runner.isolation.box import Box
from runner.results.records.plan import TrialSpec, write_plan
from runner.store.sweep_folder import SweepFolder
from runner.sweep.plan import Plan

Launch = Callable[[list[TrialSpec], int], None]  # the trials, and the number of the first one
AfterRound = Callable[[int], None]  # the number of rounds that are done


class Rounds:
    """The planned trials of a sweep. A trial is done if its file exists.

    Args:
        plan: the sweep's plan.
        folder: the sweep's folder.
        box: any of the sweep's boxes, whose image is written into plan.json.

    Attributes:
        trials: all trials that are planned so far. Rounds beyond `measure.rounds` are added when they are needed.
    """

    def __init__(self, plan: Plan, folder: SweepFolder, box: Box) -> None:
        self._plan, self._folder, self._box = plan, folder, box
        self._identity = {
            job.key: {
                "job": job.key,
                "threads": job.config["threads"],
                "quota_cpus": job.config["isolation"]["cpus"],
            }
            for job in plan.jobs
        }
        self._measure = asdict(plan.config.measure)
        self._rows: dict[str, dict[str, Any]] = {}
        self.trials = [trial for number in range(self._measure["rounds"]) for trial in plan.round(number)]
        for number in count(self._measure["rounds"]):
            begun = {trial.block for trial in plan.round(number) if self._is_done(trial)}
            if not begun:
                break
            self.trials += [trial for trial in plan.round(number) if trial.block in begun]

    def missing(self) -> list[TrialSpec]:
        """Return the planned trials that have no file yet."""
        return [trial for trial in self.trials if not self._is_done(trial)]

    def write_plan(self) -> None:
        """Write plan.json."""
        write_plan(self._folder, self._plan.record(self.trials, self._box))

    def run(self, launch: Launch, after_round: AfterRound | None = None) -> None:
        """Run the missing trials round by round, and add rounds while a block of jobs needs them.

        Args:
            launch: the function that runs trials.
            after_round: a function that is called after each of the first `measure.rounds` rounds, except for the last
                of them. If it is None, these rounds are launched together, because a cluster or slots can measure
                several rounds at once.
        """
        rounds: int = self._measure["rounds"]
        launched = first = 0
        for end in range(1, rounds + 1) if after_round else [rounds]:
            before = launched
            launched += self._launch_missing([t for t in self.trials if first <= t.round < end], launch, launched)
            first = end
            if after_round and before < launched and end < rounds:
                after_round(end)
        for number in count(rounds):
            trials = self._with_needed(number, [trial for trial in self.trials if trial.round == number])
            if not trials:
                break
            launched += self._launch_missing(trials, launch, launched)

    def _launch_missing(self, trials: list[TrialSpec], launch: Launch, first: int) -> int:
        """Launch the trials that have no file, and return their number."""
        missing = [trial for trial in trials if not self._is_done(trial)]
        if missing:
            launch(missing, first)
        return len(missing)

    def _with_needed(self, number: int, planned: list[TrialSpec]) -> list[TrialSpec]:
        """Return a round's planned trials and the trials of the blocks that need this round, which join the plan."""
        from runner.results.rounds import block_of, evaluate, needs_round  # they import scipy, which is slow

        rows = self._rows_before(number)
        if self._is_budget_spent(rows):
            return planned
        evaluated = evaluate(rows, self._measure["limits"], self._measure["rounds"])
        blocks: dict[str, list[dict[str, Any]]] = {}
        for row, columns in zip(rows, evaluated, strict=True):
            blocks.setdefault(block_of(row), []).append(row | columns)
        needing = {block for block, block_rows in blocks.items() if needs_round(block_rows, self._measure)}
        needing -= {trial.block for trial in planned}
        added = [trial for trial in self._plan.round(number) if trial.block in needing]
        if added:
            self.trials += added
            self.write_plan()
            detail(f"Round {number + 1} is needed: {self._why(blocks, needing)}.")
        return planned + added

    def _why(self, blocks: dict[str, list[dict[str, Any]]], needing: set[str]) -> str:
        from runner.results.rounds import half_widths

        signs = sorted({row["disturbed_by"] for block in needing for row in blocks[block] if row["disturbed_by"]})
        widest = max((width for block in needing for width in half_widths(blocks[block])), default=0.0)
        reasons = [f"the machine was disturbed ({', '.join(signs)})"] if signs else []
        if (target := self._measure["half_width"]) is not None and widest > target:
            reasons.append(f"the widest interval is ±{100 * widest:.1f}%, but ±{100 * target:.1f}% is required")
        return " and ".join(reasons)

    def _rows_before(self, number: int) -> list[dict[str, Any]]:
        """Return the rows of all trials of earlier rounds, except for the pairs alone. Each file is read only once."""
        from runner.results.cpus import cpu_of_units
        from runner.results.rounds import EVALUATED_BY
        from runner.results.trials import name_of_row, read_trials

        cpus = cpu_of_units(self._folder.path)
        earlier = [trial for trial in self.trials if trial.round < number and not trial.is_alone]
        unread = [
            self._identity[trial.job] | trial.columns() | {"baseline_job": trial.baseline, "cpu": cpus.get(trial.unit)}
            for trial in earlier
            if trial.name not in self._rows
        ]
        for row in read_trials(self._folder.path, unread).results.select([*EVALUATED_BY, "wall_seconds"]).to_pylist():
            self._rows[name_of_row(row)] = row
        return [self._rows[trial.name] for trial in earlier if trial.name in self._rows]

    def _is_budget_spent(self, rows: list[dict[str, Any]]) -> bool:
        budget = self._measure["budget_seconds"]
        spent: float = sum(row["wall_seconds"] or 0.0 for row in rows)
        return budget is not None and spent >= budget

    def _is_done(self, trial: TrialSpec) -> bool:
        return self._folder.trial(trial.name).exists()
