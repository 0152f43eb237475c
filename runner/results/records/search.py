"""The record of a search: `search.json` in the folder of its sweeps."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from runner.results.records.plan import PlanRecord
from runner.store.sweep_folder import SweepFolder


@dataclass(frozen=True)
class Rung:
    """A completed rung."""

    rounds: int
    techniques: list[str]
    survivors: list[str]


@dataclass
class State:
    """The content of search.json.

    Attributes:
        spent_seconds: the part of the budget that all calls so far have spent.
        rungs: the completed rungs.
        plan: the plan of all rungs. Each trial stays as the rung that ran it has planned it.
    """

    spent_seconds: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
    plan: PlanRecord | None = None

    @property
    def has_trials(self) -> bool:
        """Return whether anything was measured."""
        return bool(self.plan and self.plan.trials)


def read_state(folder: SweepFolder) -> State:
    """Return the state of the search in a folder, which is empty if there is no search.json."""
    if not folder.search.exists():
        return State()
    return msgspec.json.decode(folder.search.read_bytes(), type=State)
