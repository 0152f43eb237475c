"""pinbox recommend SWEEP: name the variant to deploy under the limits that are given."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from runner.errors import UserError
from runner.recommend.choose import Recommendation, choose
from runner.recommend.decision_data import decision_data
from runner.recommend.limits import MEASURES, read_limits, read_price
from runner.recommend.terminal import print_recommendation
from runner.results.tables import read_tables


def main() -> int:
    """Print each recommendation; return 0 if in each a variant fits, 1 if not, 2 if there is nothing to choose from."""
    parser = argparse.ArgumentParser("pinbox recommend", description="Name the variant to deploy.")
    parser.add_argument("sweep", type=Path, help="folder of a collected sweep, such as outputs/demo")
    for measure in MEASURES:
        least = "least" if measure.at_least else "most"
        parser.add_argument(
            f"--{measure.option}", help=f"{least} {measure.title} allowed, in {measure.unit}".replace("%", "%%")
        )
    parser.add_argument("--core-hour", help="price of a core-hour: the answer then says what a million texts cost")
    asked = parser.parse_args()
    try:
        limits = read_limits({measure.option: getattr(asked, measure.option.replace("-", "_")) for measure in MEASURES})
        core_hour = read_price(asked.core_hour)
        choices = decision_data(read_tables(asked.sweep))
        if not any(data.variants for data in choices):
            raise UserError(f"{asked.sweep} has no job without failures: there is nothing to choose from.")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console()
    recommendations = [choose(data, limits) for data in choices]
    for place, (data, chosen) in enumerate(zip(choices, recommendations, strict=True)):
        if place:
            console.print()
        print_recommendation(data, chosen, limits, core_hour, console)
    return exit_code(recommendations)


def exit_code(recommendations: list[Recommendation]) -> int:
    """Return 0 if a variant keeps every limit in each choice, else 1."""
    return 0 if all(chosen.winner is not None for chosen in recommendations) else 1


if __name__ == "__main__":
    sys.exit(main())
