"""Print the end of a sweep on a terminal: a compact table, and the path of the report."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from runner.console import styled
from runner.report import view
from runner.report.columns import QUALITY
from runner.report.run import notes
from runner.results.format import pluralize
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder

_STYLES = {"faster": "green", "slower": "yellow", "disturbed": "yellow", "failed": "red", "baseline": "bold"}
_TIE = "bright_black"
_WIDE = (
    "Latency p50",
    "Speedup",
    "±",
    "Capacity",
    "Accuracy",
    QUALITY,
    "Agreement",
    "Cosine",
    "Same nearest",
    "Spearman",
    "Pearson",
    "nDCG@10",
    "Recall@100",
    "Changed",
    "Disk",
    "Memory peak",
)
_NARROW = ("Latency p50", "Speedup", "Capacity", "Accuracy", "Agreement", "Cosine", "Spearman", "nDCG@10")
_NARROW_WIDTH = 120  # columns of the terminal below which the narrow set is shown
_MIN_NAME = 20  # columns that a name has at least; in a narrower terminal, figures fold, too
_MAX_GROUPS, _MAX_ROWS, _MAX_FAILURES = 20, 60, 60


def interim_summary(tables: Tables, title: str, width: int) -> Group:
    """Return a table of each group of jobs that has been measured at least once, for a terminal of this width."""
    groups = [group for group in view.groups(tables) if any(v.row["trials_ok"] for v in group.variants)]
    shown = [_group_table(group, _NARROW, width, interim=True) for group in groups[:_MAX_GROUPS]]
    return Group(styled(title, "bold"), *shown, Text(""))


def print_summary(tables: Tables, console: Console) -> None:
    """Print every job with its ratio, interval and verdict, then the failures and the path of the report.

    rich decides about colour: it honours NO_COLOR, and uses no colour without a terminal.
    """
    shown = _NARROW if console.width < _NARROW_WIDTH else _WIDE
    groups = view.groups(tables)
    failures = [one for one in view.failures(tables) if one.status != "missing"]  # a table and a note below say that
    for group in groups[:_MAX_GROUPS]:
        console.print(_group_table(group, shown, console.width))
        _print_hidden(len(group.variants) - _MAX_ROWS, "slower variant", console)
        console.print()
    _print_hidden(len(groups) - _MAX_GROUPS, "table", console)
    for failure in failures[:_MAX_FAILURES]:
        console.print(styled(failure.problem, "red") + styled(f"  {failure.label}  {failure.reason}".rstrip()))
    _print_hidden(len(failures) - _MAX_FAILURES, "failure", console)
    for note in notes(tables):
        console.print(styled(note))
    console.print(Text(str(SweepFolder(tables.folder).report)), soft_wrap=True)


def _print_hidden(number: int, what: str, console: Console) -> None:
    if number > 0:
        console.print(styled(f"… and {pluralize(number, what)} more, in the report"))


def _group_table(group: view.Group, shown: tuple[str, ...], width: int, interim: bool = False) -> Table:
    """Return the table of a group. An interim one has no notes, and its trials to come do not count as missing."""
    captions = (group.caption, group.noise, group.quality, group.saturation)
    table = Table(
        title=styled(group.title),
        title_justify="left",
        caption=None if interim else Text("\n").join(map(styled, filter(None, captions))),
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    titles = [column.title for column in group.columns if column.title in shown]
    variants = group.variants[:_MAX_ROWS]
    rows = [_figures(variant, titles, interim) for variant in variants]
    names = _folded([variant.label for variant in variants], [(*titles, "Verdict"), *rows], width)
    longest = max(len(line) for lines in names for line in lines)
    table.add_column("Variant", overflow="fold", width=longest)  # a fixed one is not squeezed
    for title in titles:
        table.add_column(title, justify="right", overflow="fold")
    table.add_column("Verdict")
    for variant, lines, figures in zip(variants, names, rows, strict=True):
        style = "red" if variant.problem and variant.row["status"] != "missing" else _STYLES.get(variant.verdict, _TIE)
        name = Text("\n").join(styled(line, style) for line in lines)
        table.add_row(name, *(styled(text, style) for text in figures))
    return table


def _figures(variant: view.Variant, titles: Sequence[str], interim: bool) -> list[str]:
    """Return the texts of a row, without its name."""
    cells = [variant.cells[title] for title in titles]
    is_known = variant.verdict == "not measured" or (interim and variant.row["trials_missing"])
    problem = "" if is_known else variant.problem
    verdict = f"{variant.verdict}, {problem}" if problem else variant.verdict
    return [*(f"{cell.text} {cell.note}".strip() for cell in cells), verdict]


def _folded(names: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """Break each name into lines, at hyphens and spaces, to the width that the other columns leave."""
    others = sum(2 + max(map(len, column)) for column in zip(*rows, strict=True))
    return [textwrap.wrap(name, max(width - others, _MIN_NAME)) or [""] for name in names]
