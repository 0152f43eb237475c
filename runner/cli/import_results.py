"""`pinbox import`: add measurements of other tools to a sweep's report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from runner.cli.parameters import sweep_argument


@click.command("import")
@sweep_argument
@click.argument(
    "files",
    type=click.Path(path_type=Path),
    nargs=-1,
    required=True,
    metavar="FILE...",
    help="JSON of pyperf or optimum-benchmark.",
)
def import_results(sweep: Path, files: Sequence[Path]) -> None:
    """Add measurements of other tools to a sweep's report."""
    from runner.report.write import write_report
    from runner.results.external.measured import keep
    from runner.results.external.read import read
    from runner.results.format import pluralize
    from runner.results.tables import read_tables

    read_tables(sweep)
    benchmarks = [benchmark for path in files for benchmark in read(path)]
    keep(sweep, benchmarks)
    report = write_report(sweep)
    print(f"{pluralize(len(benchmarks), 'benchmark')} of {pluralize(len(files), 'file')}, now in the report.\n{report}")
