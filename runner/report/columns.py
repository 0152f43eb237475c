"""Define the columns of a group's table: one figure for each job, with small print beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from runner.report.judged import JUDGED, judged_texts
from runner.report.quality import quality_hint, quality_note
from runner.results.format import (
    UNKNOWN,
    gigaflops,
    megabytes,
    milliseconds,
    of_baseline,
    per_second,
    percent,
    seconds,
    significant,
    speedup,
    speedup_interval,
)
from runner.results.tables import Row

RANDOM_WEIGHTS = "random weights"
QUALITY = "Quality"


@dataclass(frozen=True)
class Cell:
    """A figure, with small print beside it: a ratio, an interval, or the reason why there is none.

    A page shows `hint` while the pointer is on the cell.
    """

    text: str
    note: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Column:
    """A column of the table of a group.

    Attributes:
        key: the column of the summary that a page sorts it by.
        needs: summary columns. The column is left out if no job of the group has a value in any of them.
        unless: summary columns that say more. The column is left out if a job of the group has a value in any of them.
        detail: whether a page hides the column until the reader asks for details.
        inverted: whether the page shows the inverse of the key.
    """

    title: str
    explanation: str
    cell: Callable[[Row], Cell]
    key: str = ""
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    detail: bool = False
    inverted: bool = False

    def value(self, row: Row) -> float | None:
        """Return the value that the cell is sorted by."""
        value = row.get(self.key) if self.key else None
        return None if value is None else float(1 / value if self.inverted else value)


def columns_for(rows: Sequence[Row], columns: Sequence[Column]) -> list[Column]:
    """Return the columns that these jobs have values for."""
    known = {name for row in rows for name, value in row.items() if value is not None}
    return [c for c in columns if (not c.needs or known & {*c.needs}) and not known & {*c.unless}]


def _speedup_cell(row: Row) -> Cell:
    interval = speedup_interval(row["latency_ratio_low"], row["latency_ratio_high"])
    return Cell(speedup(row["latency_ratio"]), interval)


def _engine_cell(row: Row) -> Cell:
    interval = speedup_interval(row["engine_ratio_low"], row["engine_ratio_high"])
    return Cell(speedup(row["engine_ratio"]), interval)


def _float32_cell(row: Row) -> Cell:
    interval = speedup_interval(row["float32_ratio_low"], row["float32_ratio_high"])
    return Cell(speedup(row["float32_ratio"]), interval)


def _tail_cell(row: Row, percentile: int) -> Cell:
    """Return a raw percentile of the latency, and its ratio to the baseline's by turns and rounds."""
    return Cell(milliseconds(row[f"latency_p{percentile}_seconds"]), of_baseline(row[f"latency_p{percentile}_ratio"]))


def _half_width_cell(row: Row) -> Cell:
    width = row["latency_half_width"]
    return Cell(UNKNOWN if width is None else f"±{percent(width)}")


def _accuracy_cell(row: Row) -> Cell:
    if row["accuracy"] is not None:
        low, high = (100 * row[f"accuracy_{end}"] for end in ("low", "high"))
        return Cell(percent(row["accuracy"]), f"{low:.1f}–{high:.1f}")
    if row["weights"] == "random":
        return Cell(UNKNOWN, RANDOM_WEIGHTS)
    return Cell(UNKNOWN, "not evaluated" if row["examples"] is None else "no labels")


def _agreement_cell(row: Row) -> Cell:
    if row["agreement"] is None:
        return Cell(UNKNOWN, RANDOM_WEIGHTS if row["weights"] == "random" else "")
    low, high = (100 * row[f"agreement_{end}"] for end in ("low", "high"))
    return Cell(percent(row["agreement"]), f"{low:.1f}–{high:.1f}")


def _cosine_cell(row: Row) -> Cell:
    if row["cosine_mean"] is None:
        return Cell(UNKNOWN, RANDOM_WEIGHTS if row["weights"] == "random" else "")
    ends = "–".join(f"{row[f'cosine_{end}']:.4f}" for end in ("low", "high"))
    return Cell(f"{row['cosine_mean']:.4f}", ends, f"the lowest is {row['cosine_least']:.4f}")


def _judged_cell(row: Row, name: str) -> Cell:
    text, note = judged_texts(row, name)
    return Cell(text, RANDOM_WEIGHTS if row["weights"] == "random" else note)


def _changed_cell(row: Row) -> Cell:
    if row["weights"] == "random":
        return Cell(UNKNOWN, RANDOM_WEIGHTS)
    if row["changed_predictions"] is None:
        return Cell(UNKNOWN)
    return Cell(f"{row['changed_predictions']:,}", percent(row["changed_fraction"]))


def _disk_cell(row: Row) -> Cell:
    notes = [of_baseline(row["disk_ratio"]), "masked" if row["masked"] else ""]
    return Cell(megabytes(row["disk_bytes"]), ", ".join(filter(None, notes)))


def _throughput_cell(row: Row) -> Cell:
    return Cell(per_second(row["examples_per_second"]), of_baseline(row["throughput_ratio"]))


def _capacity_cell(row: Row) -> Cell:
    ratio, low, high = (row[f"capacity_ratio{end}"] for end in ("", "_low", "_high"))
    notes = [of_baseline(ratio), "" if low is None else f"{significant(low)}–{significant(high)}"]
    hints = [f"{row['capacity_verdict'] or ''} against the baseline's" if row["capacity_verdict"] else ""]
    return Cell(
        per_second(row["capacity_per_second"]),
        ", ".join(filter(None, notes)),
        "; ".join(filter(None, [*hints, row["capacity_reason"]])),
    )


def _peak_cell(row: Row) -> Cell:
    useful, padded = row["flops_per_second"], row["padded_flops_per_second"]
    rates = "" if padded is None else f"{gigaflops(useful)} on useful tokens, {gigaflops(padded)} with the padding"
    return Cell(percent(row["peak_fraction"]), row["precision"] or "", rates)


def _energy_cell(row: Row) -> Cell:
    joules = row["energy_joules_per_call"]
    return Cell(UNKNOWN if joules is None else f"{significant(joules)} J")


COLUMNS = (
    Column(
        "Latency p50",
        "median raw time from the text to the prediction; it also depends on how fast the machine was at that time",
        lambda r: Cell(milliseconds(r["latency_p50_seconds"])),
        "latency_p50_seconds",
    ),
    Column("Speedup", "baseline ÷ variant, with its 95% interval", _speedup_cell, "latency_ratio", inverted=True),
    Column(
        "Over float32",
        "speedup against the fastest variant that predicts the same in float32, with its 95% interval: the part that "
        "does not come from the engine alone",
        _float32_cell,
        "float32_ratio",
        needs=("float32_ratio",),
        detail=True,
        inverted=True,
    ),
    Column(
        "Capacity",
        "highest rate of requests at which the service keeps its objective, and its ratio to the baseline's with its "
        "95% interval",
        _capacity_cell,
        "capacity_per_second",
        needs=("capacity_per_second",),
    ),
    Column(
        "Offline",
        "rate at which the service answers requests that all arrive at once: the upper bound of the capacity",
        lambda r: Cell(per_second(r["offline_per_second"])),
        "offline_per_second",
        needs=("offline_per_second",),
        detail=True,
    ),
    Column(
        "±",
        "half the width of the speedup's interval, as a fraction of it",
        _half_width_cell,
        "latency_half_width",
        needs=("latency_half_width",),
        detail=True,
    ),
    Column(
        "Tokenize",
        "median part of a call from the text to the engine's input, which the latency includes",
        lambda r: Cell(milliseconds(r["tokenize_p50_seconds"])),
        "tokenize_p50_seconds",
        needs=("tokenize_p50_seconds",),
        detail=True,
    ),
    Column(
        "Engine's speedup",
        "speedup without tokenizing, which takes the same time in most variants, with its 95% interval",
        _engine_cell,
        "engine_ratio",
        needs=("engine_ratio",),
        detail=True,
        inverted=True,
    ),
    Column(
        "Accuracy",
        "with its 95% interval (Wilson); a text with several labels counts if all of them are right; in tagged texts, "
        "each word counts",
        _accuracy_cell,
        "accuracy",
        unless=tuple(JUDGED),
    ),
    Column(
        QUALITY,
        "whether a loss against the baseline is shown to be below the margin, adjusted for the number of variants; "
        "beside undecided: how many texts would decide",
        lambda r: Cell(r["quality_verdict"] or UNKNOWN, quality_note(r), quality_hint(r)),
        "quality_p_value_holm",
        needs=("quality_verdict",),
    ),
    Column(
        "Agreement",
        "share of predictions equal to the baseline's, with its 95% interval (Wilson); shown if there are no labels",
        _agreement_cell,
        "agreement",
        needs=("agreement",),
        unless=("accuracy",),
    ),
    Column(
        "Cosine",
        "mean cosine of each text's vector with the baseline's, with its 95% interval (Student's t)",
        _cosine_cell,
        "cosine_mean",
        needs=("cosine_mean",),
    ),
    Column(
        "Same nearest",
        "texts whose nearest other text is the same as the baseline's",
        lambda r: Cell(percent(r["neighbour_agreement"])),
        "neighbour_agreement",
        needs=("neighbour_agreement",),
    ),
    *(
        Column(title, explanation, partial(_judged_cell, name=name), name, needs=(name,))
        for name, (title, explanation) in JUDGED.items()
    ),
    Column(
        "Changed",
        "predictions other than the baseline's",
        _changed_cell,
        "changed_predictions",
        unless=tuple(JUDGED),
    ),
    Column("Disk", "size of the artifact; masked: many weights are 0, but all are stored", _disk_cell, "disk_bytes"),
    Column(
        "Compressed",
        "the same files, each compressed (zstd): what a download costs",
        lambda r: Cell(megabytes(r["compressed_bytes"]), of_baseline(r["compressed_ratio"])),
        "compressed_bytes",
        needs=("compressed_bytes",),
        detail=True,
    ),
    Column(
        "Memory peak",
        "resident memory of the whole trial (VmHWM)",
        lambda r: Cell(megabytes(r["rss_peak_bytes"]), of_baseline(r["rss_peak_ratio"])),
        "rss_peak_bytes",
    ),
    Column(
        "Cold start",
        "time from an empty page cache to the first prediction, and how much was read from the disk",
        lambda r: Cell(seconds(r["cold_start_seconds"]), megabytes(r["cold_start_read_bytes"])),
        "cold_start_seconds",
        needs=("cold_start_seconds",),
    ),
    Column(
        "Load",
        "time from files to a model that is ready to be called, without the import",
        lambda r: Cell(seconds(r["load_seconds"]), of_baseline(r["load_ratio"])),
        "load_seconds",
    ),
    Column(
        "Latency p90",
        "nine of ten calls took at most this",
        lambda r: _tail_cell(r, 90),
        "latency_p90_seconds",
        detail=True,
    ),
    Column(
        "Latency p99",
        "99 of a hundred calls took at most this",
        lambda r: _tail_cell(r, 99),
        "latency_p99_seconds",
        detail=True,
    ),
    Column(
        "First call",
        "the first inference",
        lambda r: Cell(milliseconds(r["first_call_seconds"]), of_baseline(r["first_call_ratio"])),
        "first_call_seconds",
        detail=True,
    ),
    Column("Throughput", "texts per second", _throughput_cell, "examples_per_second", detail=True),
    Column(
        "Documents per second",
        "documents that the engine encodes per second in batches, without tokenizing; not timed in turns",
        lambda r: Cell(per_second(r["documents_per_second"])),
        "documents_per_second",
        needs=("documents_per_second",),
    ),
    Column(
        "Of peak",
        "share of the rate that this machine reached in matrix products of this precision with these threads, "
        "padding included",
        _peak_cell,
        "peak_fraction",
        needs=("peak_fraction", "precision"),
    ),
    Column(
        "Energy",
        "energy of the CPU package per call (RAPL)",
        _energy_cell,
        "energy_joules_per_call",
        needs=("energy_joules_per_call",),
    ),
)
