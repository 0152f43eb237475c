"""Say how the quality of a group's variants compares with their baseline's, and how small a loss the task can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from runner.results.format import in_points, listed, points, rounded_up, significant
from runner.results.non_inferiority import CERTIFIED, QUALITY_VERDICTS, PairedShares, detectable_difference
from runner.results.quality import paired_of, units_of
from runner.results.score import SCORE_OF_COLUMN
from runner.results.statistics import ALPHA
from runner.results.tables import Row


def is_certified(row: Row) -> bool:
    """Return whether a variant is shown to be as good as its baseline, within the margin."""
    return row["quality_verdict"] in CERTIFIED


def quality_note(row: Row) -> str:
    """Return how many texts would decide about an undecided variant, as '2,200'; empty for others."""
    needed = row["quality_texts_needed"]
    return "" if needed is None else rounded_up(needed)


def quality_hint(row: Row) -> str:
    """Return what the verdict on a variant's quality rests on."""
    p_value = row["quality_p_value_holm"]
    if p_value is None:
        return ""
    said = f"p of a loss of {in_points(row['quality_margin'])} or more: {significant(p_value, 2)}, adjusted (Holm)"
    return f"{would_decide(row)}; {said}" if quality_note(row) else said


def certificate(row: Row) -> str:
    """Return whether a variant's quality is certified, as 'certified: loses less than 1 point of accuracy (95%)'.

    It is empty for a baseline, and where the quality was not tested.
    """
    verdict = row["quality_verdict"]
    if verdict is None:
        return ""
    if is_certified(row):
        return f"certified: loses less than {in_points(row['quality_margin'])} of {_score(row)} (95%)"
    if verdict == "worse":
        lost = -row[f"{row['quality_measure']}_difference"]
        return f"worse: loses {in_points(lost)} of {_score(row)}"
    return f"not certified: {would_decide(row)}" if quality_note(row) else "not certified"


def would_decide(row: Row) -> str:
    """Return how many texts would decide about an undecided variant, as '2,200 texts would decide'."""
    return f"{quality_note(row)} {units_of(row)} would decide"


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
    return f"{said}. For {label}, {would_decide(row)}."


def quality_sentence(rows: Sequence[Row]) -> str:
    """Return the number of variants of each verdict, and the margins that the texts can certify; empty without any."""
    tested = [row for row in rows if row["quality_verdict"] is not None]
    if not tested:
        return ""
    counts, first = Counter(row["quality_verdict"] for row in tested), tested[0]
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in QUALITY_VERDICTS if counts[verdict])
    typical, texts = median(row["quality_detectable"] for row in tested), first["quality_texts"]
    said = f"Quality ({_score(first)}, margin {in_points(first['quality_margin'])}): {verdicts} (95%, Holm)."
    said += f" A number beside undecided says how many {units_of(first)} would decide." if counts["undecided"] else ""
    can = f"{texts:,} {units_of(first)} can certify margins from"
    if isinstance(paired_of(first), PairedShares):
        smallest = detectable_difference(PairedShares(texts, 0, 0))
        said += (
            f" {can} {in_points(max(typical, smallest))} for the median variant (80% power), and from "
            f"{in_points(smallest)} where no prediction changes."
        )
    else:
        said += f" {can} {in_points(typical)} for the median variant (80% power)."
    return " ".join([said, *filter(None, [_slices_sentence(tested)])])


def _slices_sentence(rows: Sequence[Row]) -> str:
    """Return which certified variants are worse on a slice of the texts; empty if none is."""
    worse = [
        f"{row['model']} · {row['technique']} ({row['slice_worst']}, {points(row['slice_accuracy_difference'])} points)"
        for row in rows
        if is_certified(row) and (row["slice_p_value_holm"] or 1.0) < ALPHA and row["slice_accuracy_difference"] < 0
    ]
    return f"As good over all texts, but worse on a slice: {listed(worse, '; ')}." if worse else ""


def _score(row: Row) -> str:
    return SCORE_OF_COLUMN[row["quality_measure"]].title
