"""Print the result of a search on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.results.format import megabytes, milliseconds, percent, speedup, speedup_interval
from runner.results.labels import group_label
from runner.sweep.search.pareto import Candidate


def print_front(candidates: Sequence[Candidate], console: Console) -> None:
    """Print the candidates of the Pareto front, the fastest first."""
    table = Table(
        title="Pareto front: no other is at least as fast, as small on disk and in memory, and as accurate",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for title in ("Variant", "Latency p50", "Speedup", "Disk", "Memory peak", "Accuracy", "Negative flips", "Rounds"):
        table.add_column(title, justify="left" if title == "Variant" else "right", overflow="fold")
    for row in (candidate.row for candidate in candidates):
        interval = speedup_interval(row["latency_ratio_low"], row["latency_ratio_high"])
        cells = (
            group_label(row),
            milliseconds(row["latency_p50_seconds"]),
            f"{speedup(row['latency_ratio'])} {interval}".rstrip(),
            megabytes(row["disk_bytes"]),
            megabytes(row["rss_peak_bytes"]),
            percent(row["accuracy"]),
            percent(row["negative_flips_fraction"]),
            str(row["rounds_included"]),
        )
        table.add_row(*map(Text, cells))
    console.print(table)
