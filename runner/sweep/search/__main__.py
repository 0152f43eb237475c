"""pinbox search: the best variants of one model within a time budget; see runner/sweep/search/halving.py."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner.config import schema as config
from runner.config.paths import CONF, check_own_conf, choices
from runner.console import say
from runner.errors import UserError, did_you_mean
from runner.results.format import megabytes, milliseconds, percent, speedup, speedup_interval
from runner.results.labels import group_label
from runner.results.summary import outcome
from runner.sweep.search.catalogue import fitting
from runner.sweep.search.halving import search
from runner.sweep.search.pareto import Candidate, candidates, front

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def main() -> int:
    """Search, print the Pareto front; return 0 if all is well, 1 if some trials failed, 2 if nothing could run."""
    asked = _arguments()
    config.register()
    try:
        check_own_conf()
        budget = budget_seconds(asked.budget)
        overrides = [f"model={asked.model}", f"task={asked.task}", *asked.overrides]
        techniques, refused = fitting(CONF, _named(asked.techniques), overrides)
        for technique, why in refused.items():
            say(f"Left out: {technique}: {why}")
        if not techniques:
            raise UserError(f"No technique fits model '{asked.model}' and task '{asked.task}'.")
        folder = Path(asked.out or f"outputs/search-{asked.model}-{asked.task}")
        tables = search(folder, overrides, techniques, budget)
    except UserError as error:
        print(f"pinbox: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        say("Stopped. What was measured is kept; the same command goes on from here.")
        return 130
    found = front(candidates(tables.summary.to_pylist(), tables.results.to_pylist()))
    print_front(found, Console())
    print(folder / "report.html")
    return outcome(tables)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("pinbox search", description="Find the best variants of a model.")
    parser.add_argument("--model", required=True, help="of conf/model")
    parser.add_argument("--task", required=True, help="of conf/task")
    parser.add_argument("--budget", default="30m", help="wall time in all, such as 90s, 30m or 2h")
    parser.add_argument("--techniques", default="", help="of conf/technique, separated by commas; all if empty")
    parser.add_argument("--out", default="", help="folder; outputs/search-MODEL-TASK if empty")
    parser.add_argument("overrides", nargs="*", help="Hydra's, such as threads=2; each with one value")
    return parser.parse_args()


def budget_seconds(text: str) -> float:
    """Return a duration such as 90s, 30m or 2h in seconds.

    Raises:
        UserError: if it is not one.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match or float(match[1]) == 0:
        raise UserError(f"BUDGET is '{text}', but must be a time such as 90s, 30m or 2h.")
    return float(match[1]) * _SECONDS[match[2]]


def _named(text: str) -> list[str]:
    known = choices("technique")
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UserError(f"TECHNIQUES: there is no technique '{name}'. {did_you_mean(name, known)}")
    return names or known


def print_front(found: list[Candidate], console: Console) -> None:
    """Print the candidates that no other dominates, the fastest first."""
    table = Table(
        title="Pareto front: no other is at least as fast, as small on disk and in memory, and as accurate",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for title in ("Variant", "Latency p50", "Speedup", "Disk", "Memory peak", "Accuracy", "Negative flips", "Rounds"):
        table.add_column(title, justify="left" if title == "Variant" else "right", overflow="fold")
    for row in (one.row for one in found):
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


if __name__ == "__main__":
    sys.exit(main())
