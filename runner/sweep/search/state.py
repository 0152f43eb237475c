"""What a search has done so far, in its folder: the plan of all rungs as one, and search.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from runner.store.artifacts import atomic_write
from runner.store.sweep_folder import trial_file

Plan = dict[str, Any]


@dataclass(frozen=True)
class Rung:
    """A rung that was run to its end."""

    rounds: int
    techniques: list[str]
    survivors: list[str]


@dataclass
class State:
    """What search.json holds.

    Attributes:
        spent_seconds: of the budget, by all calls so far.
        rungs: those that were run to their end.
        plan: of all rungs; what each trial was planned as in the rung that ran it.
    """

    spent_seconds: float = 0.0
    rungs: list[Rung] = field(default_factory=list)
    plan: Plan | None = None


def read_state(folder: Path) -> State:
    """Return what was done before in this folder."""
    path = folder / "search.json"
    if not path.exists():
        return State()
    content = json.loads(path.read_text(encoding="utf-8"))
    return State(content["spent_seconds"], [Rung(**rung) for rung in content["rungs"]], content["plan"])


def write_state(folder: Path, state: State) -> None:
    """Write search.json."""
    atomic_write(folder / "search.json", json.dumps(asdict(state), indent=1))


def gather(folder: Path, state: State) -> None:
    """Put the plan of the rung that ran last together with those before it, so that collecting sees every trial."""
    path = folder / "plan.json"
    if not path.exists():
        return
    plan = merged(state.plan, json.loads(path.read_text(encoding="utf-8")))
    plan["trials"] = [trial for trial in plan["trials"] if trial_file(folder, _name(trial)).exists()]
    begun = {trial["job"] for trial in plan["trials"]}
    plan["jobs"] = [job for job in plan["jobs"] if job["job"] in begun]  # the time ended before the others
    state.plan = plan
    atomic_write(path, json.dumps(plan, indent=1))


def merged(before: Plan | None, after: Plan) -> Plan:
    """Return the later plan with the jobs and trials of both; a trial stays as the first plan placed it."""
    if before is None:
        return after
    jobs = {job["job"]: job for plan in (after, before) for job in plan["jobs"]}
    trials = {_name(trial): trial for plan in (after, before) for trial in plan["trials"]}
    in_order = sorted(trials.values(), key=lambda trial: (trial["round"], trial["position"]))
    return after | {"jobs": list(jobs.values()), "trials": in_order}


def _name(trial: dict[str, Any]) -> str:
    return f"{trial['job']}-r{trial['round']}-{trial['role']}"
