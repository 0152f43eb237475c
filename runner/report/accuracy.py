"""Make the table of accuracy in detail: one row for each variant of a group, folded below the main table."""

from __future__ import annotations

from dataclasses import dataclass

from runner.report.columns import Cell, Column, columns_for
from runner.report.view import Group
from runner.results.format import UNKNOWN, percent, pluralize, points, signed, significant
from runner.results.tables import Row

TITLE = "Accuracy in detail"
EXPLAINED = (
    "Differences are to the baseline on the same examples, in percentage points or F1, each with its own 95% interval "
    "(Tango's score interval; F1: paired bootstrap, BCa). p is McNemar's exact test of no difference, and p of a loss "
    "is the score test of a loss of the margin or more; both are adjusted for the number of variants (Holm). In tagged "
    "texts, every word is an example; intervals and p are then Student's t over the texts."
)


@dataclass(frozen=True)
class AccuracyDetail:
    """The columns that a group has values for, and each variant's label, summary row and cells."""

    columns: list[Column]
    rows: list[tuple[str, Row, list[Cell]]]


def accuracy_detail(group: Group, labels: list[str]) -> AccuracyDetail | None:
    """Return the table of a group, or None if nothing was evaluated.

    Args:
        group: the group, with its variants in order.
        labels: the names of the task's labels, in the order of the summary's `recall_changes`.
    """
    rows = [{**variant.row, "labels": labels} for variant in group.variants if variant.row["weights"] != "random"]
    columns = columns_for(rows, _COLUMNS)
    if not columns:
        return None
    names = [variant.label for variant in group.variants if variant.row["weights"] != "random"]
    cells = [[column.cell(row) for column in columns] for row in rows]
    return AccuracyDetail(columns, list(zip(names, rows, cells, strict=True)))


def _accuracy_cell(row: Row) -> Cell:
    ends = (row["accuracy_difference_low"], row["accuracy_difference_high"])
    return Cell(points(row["accuracy_difference"]), "" if ends[0] is None else " to ".join(map(points, ends)))


def _p_cell(row: Row, name: str) -> Cell:
    p, adjusted = row[name], row[f"{name}_holm"]
    return Cell(UNKNOWN) if p is None or adjusted is None else Cell(_p(adjusted), f"alone {_p(p)}")


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _f1_cell(row: Row, name: str = "macro_f1") -> Cell:
    if row[name] is None:
        return Cell(UNKNOWN)
    difference, low, high = (row[f"{name}_difference{end}"] for end in ("", "_low", "_high"))
    if difference is None:
        return Cell(f"{row[name]:.3f}")
    interval = "" if low is None else f", {signed(low, 3)} to {signed(high, 3)}"
    return Cell(f"{row[name]:.3f}", f"{signed(difference, 3)}{interval}")


def _divergence_cell(row: Row) -> Cell:
    if row["kl_mean_nats"] is None:
        return Cell(UNKNOWN)
    return Cell(_small(row["kl_mean_nats"]), f"p99 {_small(row['kl_p99_nats'])}")


def _small(value: float) -> str:
    return "<0.0001" if 0 < value < 1e-4 else significant(value, 2)


def _recall_cell(row: Row) -> Cell:
    if row["worst_recall_change"] is None:
        return Cell(UNKNOWN)
    changes = row["recall_changes"]
    each = zip(row["labels"], changes, strict=True) if len(row["labels"]) == len(changes) else []
    return Cell(
        points(row["worst_recall_change"]),
        row["worst_recall_label"],
        ", ".join(f"{label} {points(change)}" for label, change in each),
    )


def _slice_cell(row: Row) -> Cell:
    if row["slice_accuracy_difference"] is None:
        return Cell(UNKNOWN)
    low, high = (points(row[f"slice_accuracy_difference_{end}"]) for end in ("low", "high"))
    p = "" if row["slice_p_value_holm"] is None else f", p {_p(row['slice_p_value_holm'])}"
    return Cell(
        points(row["slice_accuracy_difference"]),
        row["slice_worst"],
        f"{low} to {high} on {pluralize(row['slice_texts'], 'text')}{p}",
    )


def _batch_cell(row: Row) -> Cell:
    changed, difference = row["batch_changed_predictions"], row["batch_logit_difference"]
    if changed is None:
        return Cell(UNKNOWN)
    moved = "" if difference is None else "logits by " + _small(difference)
    return Cell(f"{changed} of {row['batch_examples']}", moved)


_COLUMNS = (
    Column(
        "Δ accuracy", "accuracy − the baseline's", _accuracy_cell, "accuracy_difference", needs=("accuracy_difference",)
    ),
    Column(
        "p",
        "of the hypothesis that the accuracies are equal, adjusted",
        lambda r: _p_cell(r, "accuracy_p_value"),
        "accuracy_p_value_holm",
        needs=("accuracy_p_value",),
    ),
    Column(
        "p of a loss",
        "of the hypothesis that the loss is the margin or more, adjusted",
        lambda r: _p_cell(r, "quality_p_value"),
        "quality_p_value_holm",
        needs=("quality_p_value",),
    ),
    Column("Macro-F1", "with its difference to the baseline's", _f1_cell, "macro_f1", needs=("macro_f1",)),
    Column(
        "Micro-F1",
        "F1 of all labels together",
        lambda r: Cell(UNKNOWN if r["micro_f1"] is None else f"{r['micro_f1']:.3f}"),
        "micro_f1",
        needs=("micro_f1",),
    ),
    Column(
        "Entity F1",
        "F1 of entities of all types, each by its first and last word, with its difference to the baseline's",
        lambda r: _f1_cell(r, "entity_f1"),
        "entity_f1",
        needs=("entity_f1",),
    ),
    Column(
        "Negative flips",
        "examples that only the baseline has right",
        lambda r: Cell(percent(r["negative_flips_fraction"])),
        "negative_flips_fraction",
        needs=("negative_flips_fraction",),
    ),
    Column(
        "Positive flips",
        "examples that only the variant has right",
        lambda r: Cell(percent(r["positive_flips_fraction"])),
        "positive_flips_fraction",
        needs=("positive_flips_fraction",),
    ),
    Column(
        "Worst recall",
        "the label whose recall fell most",
        _recall_cell,
        "worst_recall_change",
        needs=("worst_recall_change",),
    ),
    Column(
        "Worst slice",
        "slice by label, length or a column of the task with the largest loss; p is adjusted for the number of slices",
        _slice_cell,
        "slice_accuracy_difference",
        needs=("slice_accuracy_difference",),
    ),
    Column(
        "KL, nats",
        "divergence from the baseline's probabilities: mean",
        _divergence_cell,
        "kl_mean_nats",
        needs=("kl_mean_nats",),
    ),
    Column(
        "ECE",
        "expected calibration error, 15 bins",
        lambda r: Cell(UNKNOWN if r["calibration_error"] is None else f"{r['calibration_error']:.3f}"),
        "calibration_error",
        needs=("calibration_error",),
    ),
    Column(
        "Brier",
        "summed squared error of the probabilities, 0 to 2",
        lambda r: Cell(UNKNOWN if r["brier_score"] is None else f"{r['brier_score']:.3f}"),
        "brier_score",
        needs=("brier_score",),
    ),
    Column(
        "By batch",
        "predictions that differ when a text is evaluated alone, among seven others, or in the workload's own calls",
        _batch_cell,
        "batch_changed_predictions",
        needs=("batch_changed_predictions",),
    ),
)
