"""`pinbox doctor`: report what can and cannot be measured on this machine."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all values.")
@click.option("--fresh", is_flag=True, help="Measure the peaks again, even if the store has them.")
@click.option(
    "--store", type=click.Path(path_type=Path), help="The folder of the measured peaks (default: the artifact store)."
)
def doctor(as_json: bool, fresh: bool, store: Path | None) -> None:
    """Report what can and cannot be measured on this machine."""
    from rich.console import Console

    from runner.cli.doctor.examine import examine
    from runner.cli.doctor.terminal import print_section
    from runner.config.schema import Config

    sections = examine(store or Path(Config.store), fresh)
    if as_json:
        json.dump([asdict(section) for section in sections], sys.stdout, indent=1, ensure_ascii=False)
        print()
        return
    console = Console(highlight=False)
    for section in sections:
        print_section(section, console)
