"""`pinbox recommend`: name the variant to deploy under given limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.parameters import sweep_argument
from runner.errors import UserError
from runner.recommend.limits import MEASURES, read_limits, read_positive, read_price


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
@click.option("--allow-undecided", is_flag=True, help="With --margin: variants that are not certified yet count, too.")
@click.option("--rate", metavar="NUMBER", help="Requests a second that the variant must hold, on the fewest cores.")
@click.option("--slo-p99-ms", metavar="NUMBER", help="The objective of --rate, in ms; the sweep must have measured it.")
@click.option("--core-hour", metavar="PRICE", help="Price of a core-hour, for the cost of a million texts or requests.")
@click.option("--prices", type=click.Path(path_type=Path), help="File with prices of instances, for --rate.")
def recommend(
    sweep: Path,
    allow_undecided: bool,
    rate: str | None,
    slo_p99_ms: str | None,
    core_hour: str | None,
    prices: Path | None,
    **limits: str | None,
) -> int:
    """Name the variant to deploy.

    It is the fastest one within the limits or, with --rate, the one that holds the rate on the fewest cores. The exit
    code is 0 if a variant keeps all limits in each choice, 1 if not, 2 if there is nothing to choose from.
    """
    from rich.console import Console

    from runner.console import styled
    from runner.recommend.capacity import Objective
    from runner.recommend.choose import choose
    from runner.recommend.decision_data import decision_data
    from runner.recommend.margin import Margin
    from runner.recommend.prices import read_prices
    from runner.recommend.queueing import predictions
    from runner.recommend.rate import choose_for_rate, chosen_objective
    from runner.recommend.rate_terminal import MAX_ROWS, Pricing, print_rate
    from runner.recommend.terminal import print_recommendation
    from runner.results.halves import search_note
    from runner.results.tables import read_tables

    allowed = read_limits({name.replace("_", "-"): text for name, text in limits.items()})
    margin = Margin(allowed["loss"], allow_undecided) if "loss" in allowed else None
    if allow_undecided and margin is None:
        raise UserError("--allow-undecided needs --margin. Give the points of accuracy that a variant may lose.")
    price = read_price(core_hour)
    requests = _positive("rate", rate, "a number of requests a second, such as 200")
    bound = _positive("slo-p99-ms", slo_p99_ms, "a number of ms, such as 50")
    if requests is None and (bound is not None or prices is not None):
        raise UserError("--slo-p99-ms and --prices need --rate. Give the number of requests a second.")
    if price is not None and prices is not None:
        raise UserError("Give either --core-hour or --prices, not both.")
    pricing = Pricing(price, read_prices(prices) if prices else None)
    tables = read_tables(sweep)
    choices = decision_data(tables, margin)
    if not any(data.variants for data in choices):
        raise UserError(f"{sweep} has no job without failures: there is nothing to choose from.")
    if requests is not None:
        objective = chosen_objective(choices, None if bound is None else Objective(99.0, bound / 1000))
        choices = [data for data in choices if any(variant.capacity for variant in data.variants)]
    console = Console()
    fits = []
    for place, data in enumerate(choices):
        if place:
            console.print()
        chosen = choose(data, allowed)
        if requests is None:
            print_recommendation(data, chosen, allowed, price, console)
            fits.append(chosen.winner is not None)
        else:
            at = choose_for_rate(data, chosen, requests, objective)
            shown = (data.variants[one.place] for one in [*at.fitting, *at.servings][:MAX_ROWS])
            capacities = {variant.job: variant.capacity for variant in shown if variant.capacity}
            print_rate(data, chosen, at, allowed, pricing, predictions(tables, capacities), console)
            fits.append(at.winner is not None)
    for note in search_note(tables):
        console.print(styled(f"\n{note}"))
    return 0 if all(fits) else 1


def _positive(option: str, typed: str | None, wanted: str) -> float | None:
    return None if typed is None else read_positive(option, typed, wanted)
