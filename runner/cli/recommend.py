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

    The exit code is 0 if a variant fits in each answer, 1 if not, 2 if there is nothing to choose from.
    """
    from rich.console import Console

    from runner.recommend.choose import choose
    from runner.recommend.evidence import evidence
    from runner.recommend.terminal import print_answer
    from runner.results.tables import read_tables

    allowed, price = read_limits({name.replace("_", "-"): text for name, text in limits.items()}), read_price(core_hour)
    questions = evidence(read_tables(sweep))
    if not any(question["label"] for question in questions):
        raise UserError(f"{sweep} has no job without failures: there is nothing to choose from.")
    console = Console()
    answers = [choose(question, allowed) for question in questions]
    for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        if place:
            console.print()
        print_answer(question, answer, allowed, price, console)
    return 0 if all(answer.winner is not None for answer in answers) else 1
