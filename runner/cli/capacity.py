"""`pinbox capacity`: find the variant, workers, threads and batching that hold the most requests a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from runner.cli.parameters import (
    ConfigNames,
    budget_seconds,
    model_option,
    named,
    overrides_argument,
    program,
    task_option,
)
from runner.errors import UserError


@click.command()
@overrides_argument
@model_option
@task_option
@click.option("--cores", default=1, show_default=True, type=click.IntRange(1), help="Cores of the service.")
@click.option("--slo-p99-ms", default=50.0, show_default=True, metavar="NUMBER", help="Limit of p99 latency, in ms.")
@click.option("--budget", default="20m", show_default=True, help="Total wall time, such as 90s, 30m or 2h.")
@click.option(
    "--techniques",
    type=ConfigNames("technique"),
    default="",
    metavar="NAME,NAME",
    help="Techniques of conf/technique (default: those that `pinbox try` begins with).",
)
@click.option("--out", type=click.Path(path_type=Path), help="Output folder (default: outputs/capacity-MODEL-TASK).")
def capacity(
    overrides: Sequence[str],
    model: str,
    task: str,
    cores: int,
    slo_p99_ms: float,
    budget: str,
    techniques: str,
    out: Path | None,
) -> int:
    """Find the service that holds the most requests a second.

    It measures the calls of all variants, lets a queueing model propose workers, threads and batching, and puts real
    load on the best proposals. The load generator needs one more core than --cores. The same command continues where
    it stopped. The exit code is 0 if a service keeps the objective, 1 if none does, 2 if nothing could run.
    """
    from rich.console import Console

    from runner.config import schema
    from runner.config.paths import CONF, check_own_conf
    from runner.console import say
    from runner.machine.topology import physical_cores
    from runner.recommend.capacity import Objective
    from runner.results.format import pluralize
    from runner.sweep.search.catalogue import fitting
    from runner.sweep.serving.configuration import Wanted
    from runner.sweep.serving.find import find_configuration
    from runner.sweep.serving.terminal import print_configurations
    from runner.sweep.tryout.grid import BASELINE, candidates

    schema.register()
    check_own_conf()
    if not slo_p99_ms > 0:
        raise UserError(f"--slo-p99-ms is {slo_p99_ms:g}, but must be above 0.")
    if cores >= (most := len(physical_cores())):
        raise UserError(
            f"--cores is {cores}, but only {pluralize(most, 'physical core')} may be used here, and the load generator "
            f"needs one. {f'Give at most {most - 1}.' if most > 1 else 'Run it on a machine with more.'}"
        )
    seconds = budget_seconds(budget)
    job = [f"model={model}", f"task={task}", *overrides]
    load = ["load=open", f"load.workers={cores}", f"load.slo.milliseconds={slo_p99_ms:g}"]
    asked = [BASELINE, *(name for name in named(techniques, "technique") or candidates() if name != BASELINE)]
    names, refused = fitting(CONF, asked, [*job, *load])
    if not names:
        raise UserError(next(iter(refused.values())))
    for name, why in refused.items():
        say(f"Left out: {name}: {why}")
    wanted = Wanted(names, cores, Objective(99.0, slo_p99_ms / 1000))
    folder = out or Path(f"outputs/capacity-{model}-{task}")
    try:
        tables = find_configuration(folder, job, wanted, seconds)
    except KeyboardInterrupt:
        say("Stopped. What was measured is kept; the same command goes on from here.")
        raise
    found = print_configurations(tables, wanted, Console())
    if found:
        say(f"For a rate of your own: {program()} recommend {folder} --slo-p99-ms {slo_p99_ms:g} --rate 100")
    print(folder / "report.html")
    return 0 if found else 1
