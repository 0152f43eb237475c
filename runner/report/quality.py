"""Say how the quality of a group's variants compares with their baseline's, and how small a loss the task can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from runner.results.format import in_points, pluralize, significant, texts_needed
from runner.results.non_inferiority import CERTIFIED, QUALITY_VERDICTS, PairedShares, detectable_difference
from runner.results.tables import Row


def is_certified(row: Row) -> bool:
    """Return whether a variant is shown to be as good as its baseline, within the margin."""
    return row["quality_verdict"] in CERTIFIED


def quality_note(row: Row) -> str:
    """Return the margin that a variant is within, or how many texts would decide whether it is."""
    if row["quality_verdict"] == "equivalent":
        return f"within {in_points(row['quality_margin'])}"
    needed = row["quality_texts_needed"]
    return "" if needed is None else f"{texts_needed(needed)} would decide"


def quality_hint(row: Row) -> str:
    """Return the p-value that the verdict on a variant's quality rests on."""
    p_value = row["quality_p_value_holm"]
    if p_value is None:
        return ""
    return f"p of a loss of {in_points(row['quality_margin'])} or more: {significant(p_value, 2)}, adjusted (Holm)"


def within(row: Row) -> str:
    """Return the margin of a tested variant, as 'within 1 point of the baseline's accuracy'."""
    return f"within {in_points(row['quality_margin'])} of the baseline's {_score(row)}"


def not_certified(faster: Sequence[tuple[str, Row]]) -> str:
    """Return that no faster variant is certified, and how many texts would decide about the fastest undecided one.

    Args:
        faster: the label and the row of each of them, the fastest first.
    """
    tested = [(label, row) for label, row in faster if row["quality_verdict"] is not None]
    if not tested:
        return "No faster variant has a score to compare with the baseline's."
    said = f"Not yet: no faster variant is certified {within(tested[0][1])}"
    undecided = [(label, row) for label, row in tested if row["quality_texts_needed"] is not None]
    if not undecided:
        return f"{said}."
    label, row = undecided[0]
    return f"{said}. For {label}, {quality_note(row)}."


def quality_sentence(rows: Sequence[Row]) -> str:
    """Return how many variants have which verdict, and which margins so many texts can certify; empty without any."""
    tested = [row for row in rows if row["quality_verdict"] is not None]
    if not tested:
        return ""
    counts, first = Counter(row["quality_verdict"] for row in tested), tested[0]
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in QUALITY_VERDICTS if counts[verdict])
    typical = median(row["quality_detectable"] for row in tested)
    smallest = detectable_difference(PairedShares(first["quality_texts"], 0, 0))
    return (
        f"Quality ({_score(first)}, margin {in_points(first['quality_margin'])}): {verdicts} (95%, Holm). "
        f"{pluralize(first['quality_texts'], 'text')} can certify margins from {in_points(max(typical, smallest))} for "
        f"the median variant (80% power), and from {in_points(smallest)} where no prediction changes."
    )


def _score(row: Row) -> str:
    return str(row["quality_measure"]).replace("_", " ")
