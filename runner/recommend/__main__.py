"""pinbox recommend SWEEP: name the variant to deploy under the limits that are given."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from runner.errors import UserError
from runner.recommend.choose import Answer, choose
from runner.recommend.evidence import evidence
from runner.recommend.limits import MEASURES, read_limits, read_price
from runner.recommend.terminal import print_answer
from runner.results.tables import read_tables


def main() -> int:
    """Print one answer per question; return 0 (in each a variant fits), 1 (not so) or 2 (nothing to choose from)."""
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
        questions = evidence(read_tables(asked.sweep))
        if not any(question["label"] for question in questions):
            raise UserError(f"{asked.sweep} has no job without failures: there is nothing to choose from.")
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    console = Console()
    answers = [choose(question, limits) for question in questions]
    for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        if place:
            console.print()
        print_answer(question, answer, limits, core_hour, console)
    return exit_code(answers)


def exit_code(answers: list[Answer]) -> int:
    """Return 0 if a variant fits in every question, else 1."""
    return 0 if all(answer.winner is not None for answer in answers) else 1


if __name__ == "__main__":
    sys.exit(main())
