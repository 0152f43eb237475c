"""Print the result of a search on the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.results.format import UNKNOWN, megabytes, milliseconds, percent, pluralize, speedup, speedup_interval
from runner.results.labels import group_label
from runner.results.score import SCORES
from runner.sweep.search.pareto import Candidate


def print_front(candidates: Sequence[Candidate], console: Console) -> None:
    """Print the candidates of the Pareto front, the fastest first, with their score on the held-out texts."""
    halves = next((one.halves for one in candidates if one.halves), None)
    heading = halves.score.heading if halves else SCORES[0].heading
    table = Table(
        title="Pareto front: no other is at least as fast, as small on disk and in memory, and as good in quality",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for title in ("Variant", "Latency p50", "Speedup", "Disk", "Memory peak", heading, "Negative flips", "Rounds"):
        table.add_column(title, justify="left" if title == "Variant" else "right", overflow="fold")
    for candidate in candidates:
        row = candidate.row
        interval = speedup_interval(row["latency_ratio_low"], row["latency_ratio_high"])
        cells = (
            group_label(row),
            milliseconds(row["latency_p50_seconds"]),
            f"{speedup(row['latency_ratio'])} {interval}".rstrip(),
            megabytes(row["disk_bytes"]),
            megabytes(row["rss_peak_bytes"]),
            candidate.halves.text if candidate.halves else UNKNOWN,
            percent(row["negative_flips_fraction"]),
            str(row["rounds_included"]),
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    if halves:
        console.print(f"{heading}: on {pluralize(halves.held_out_examples, 'text')} that the search did not use.")
        if any(one.row["negative_flips_fraction"] is not None for one in candidates):
            console.print("Negative flips: on all texts. The search used half of them, so they are a little too few.")
