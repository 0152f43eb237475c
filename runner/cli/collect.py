"""`pinbox collect`: write the Parquet tables of a sweep from its trials' files."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from runner.cli.parameters import sweep_argument
from runner.errors import printable


@click.command()
@sweep_argument
def collect(sweep: Path) -> int:
    """Write a sweep's tables again from the files of its trials.

    The exit code is 0 if all trials are ok, 1 if some failed or are missing, 2 if none is ok.
    """
    from runner.results.collect import collect as collect_tables
    from runner.results.format import pluralize
    from runner.results.summary import outcome

    tables = collect_tables(sweep)
    for name, table in tables.named().items():
        print(f"{sweep / name}.parquet  {pluralize(len(table), 'row')}")
    for warning in tables.manifest["warnings"]:
        print(printable(f"warning: {warning}"), file=sys.stderr)
    return outcome(tables)
