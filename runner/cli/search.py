"""`pinbox search`: find the best variants of a model within a time budget."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from runner.cli.parameters import ConfigNames, Override
from runner.errors import UserError, did_you_mean

_SECONDS = {"s": 1, "m": 60, "h": 3600}


@click.command()
@click.argument(
    "overrides",
    nargs=-1,
    type=Override(),
    metavar="[KEY=VALUE]...",
    help="Hydra's overrides, such as threads=2, each with one value.",
)
@click.option("--model", required=True, type=ConfigNames("model"), metavar="NAME", help="A model of conf/model.")
@click.option("--task", required=True, type=ConfigNames("task"), metavar="NAME", help="A task of conf/task.")
@click.option("--budget", default="30m", show_default=True, help="Wall time in all, such as 90s, 30m or 2h.")
@click.option(
    "--techniques",
    type=ConfigNames("technique"),
    default="",
    metavar="NAME,NAME",
    help="Techniques of conf/technique (default: all).",
)
@click.option("--out", type=click.Path(path_type=Path), help="Where it goes (default: outputs/search-MODEL-TASK).")
def search(overrides: Sequence[str], model: str, task: str, budget: str, techniques: str, out: Path | None) -> int:
    """Find the best variants of a model in a given time.

    The exit code is 0 if all trials are ok, 1 if some failed, 2 if nothing could run.
    """
    from rich.console import Console

    from runner.config import schema
    from runner.config.paths import CONF, check_own_conf, choices
    from runner.console import say
    from runner.results.summary import outcome
    from runner.sweep.search.catalogue import fitting
    from runner.sweep.search.halving import search as find
    from runner.sweep.search.pareto import candidates, front
    from runner.sweep.search.terminal import print_front

    schema.register()
    check_own_conf()
    seconds = budget_seconds(budget)
    job = [f"model={model}", f"task={task}", *overrides]
    names, refused = fitting(CONF, _named(techniques, choices("technique")), job)
    for name, why in refused.items():
        say(f"Left out: {name}: {why}")
    if not names:
        raise UserError(f"No technique fits model '{model}' and task '{task}'.")
    folder = out or Path(f"outputs/search-{model}-{task}")
    try:
        tables = find(folder, job, names, seconds)
    except KeyboardInterrupt:
        say("Stopped. What was measured is kept; the same command goes on from here.")
        raise
    print_front(front(candidates(tables.summary.to_pylist(), tables.results.to_pylist())), Console())
    print(folder / "report.html")
    return outcome(tables)


def budget_seconds(text: str) -> float:
    """Return a duration such as 90s, 30m or 2h in seconds.

    Raises:
        UserError: if it is not one.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match or float(match[1]) == 0:
        raise UserError(f"--budget is '{text}', but must be a time such as 90s, 30m or 2h.")
    return float(match[1]) * _SECONDS[match[2]]


def _named(text: str, known: list[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UserError(f"--techniques: there is no technique '{name}'. {did_you_mean(name, known)}")
    return names or known
