"""`pinbox recommend`: name the variant to deploy under the limits that are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.parameters import sweep_argument
from runner.errors import UserError
from runner.recommend.limits import MEASURES, read_limits, read_price


def _limit_options(command: Any) -> Any:
    """Add an option for each measure that can be limited."""
    for measure in reversed(MEASURES):
        extreme = "lowest" if measure.at_least else "highest"
        help_line = f"The {extreme} {measure.title} allowed, in {measure.unit}."
        command = click.option(f"--{measure.option}", metavar="NUMBER", help=help_line)(command)
    return command


@click.command()
@sweep_argument
@_limit_options
@click.option("--core-hour", metavar="PRICE", help="Price of a core-hour: says what a million texts cost.")
def recommend(sweep: Path, core_hour: str | None, **limits: str | None) -> int:
    """Name the variant to deploy.

    The exit code is 0 if a variant keeps all limits in each choice, 1 if not, 2 if there is nothing to choose from.
    """
    from rich.console import Console

    from runner.recommend.choose import choose
    from runner.recommend.decision_data import decision_data
    from runner.recommend.terminal import print_recommendation
    from runner.results.tables import read_tables

    allowed = read_limits({name.replace("_", "-"): text for name, text in limits.items()})
    price = read_price(core_hour)
    choices = decision_data(read_tables(sweep))
    if not any(data.variants for data in choices):
        raise UserError(f"{sweep} has no job without failures: there is nothing to choose from.")
    console = Console()
    recommendations = [choose(data, allowed) for data in choices]
    for place, (data, chosen) in enumerate(zip(choices, recommendations, strict=True)):
        if place:
            console.print()
        print_recommendation(data, chosen, allowed, price, console)
    return 0 if all(chosen.winner is not None for chosen in recommendations) else 1
