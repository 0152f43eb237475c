"""`pinbox search`: find the best variants of a model within a time budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from runner.cli.parameters import ConfigNames, budget_seconds, model_option, named, overrides_argument, task_option
from runner.errors import UserError


@click.command()
@overrides_argument
@model_option
@task_option
@click.option("--budget", default="30m", show_default=True, help="Total wall time, such as 90s, 30m or 2h.")
@click.option(
    "--techniques",
    type=ConfigNames("technique"),
    default="",
    metavar="NAME,NAME",
    help="Techniques of conf/technique (default: all).",
)
@click.option("--out", type=click.Path(path_type=Path), help="Output folder (default: outputs/search-MODEL-TASK).")
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
    names, refused = fitting(CONF, named(techniques, "technique") or choices("technique"), job)
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
    print_front(front(candidates(tables)), Console())
    print(folder / "report.html")
    return outcome(tables)
