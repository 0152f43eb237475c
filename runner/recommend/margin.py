"""Which variants lose less quality than a margin: certified ones and, if asked for, undecided ones, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runner.results.format import in_points, rounded_up
from runner.results.non_inferiority import CERTIFIED
from runner.results.quality import qualities, units_of
from runner.results.records.quality import Quality
from runner.results.score import score_of
from runner.results.tables import Row


@dataclass(frozen=True)
class Margin:
    """The loss of quality that is allowed, 0.01 for one point.

    A variant counts if it is certified to lose less: its verdict at this margin is `equivalent` or `better`. With
    `allow_undecided` an undecided variant counts as well, if its estimated loss is within the margin.
    """

    fraction: float
    allow_undecided: bool = False


class Loss(NamedTuple):
    """The estimated loss of a variant if it counts; otherwise None, and the reason, if there is one."""

    value: float | None
    reason: str


def margin_of(rows: Sequence[Row]) -> float | None:
    """Return the margin at which a sweep has tested its variants; None if none was tested."""
    return next((row["quality_margin"] for row in rows if row["quality_margin"] is not None), None)


def losses(rows: Sequence[Row], margin: Margin) -> dict[str, Loss]:
    """Return the loss of each job of a sweep that has a score. The loss of a baseline is 0."""
    blocks: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        blocks[row["baseline_job"]].append(row)
    found = {}
    for baseline_job, sharing in blocks.items():
        tested = qualities(sharing, margin.fraction)
        for row in sharing:
            if row["job"] in tested:
                found[row["job"]] = _loss(row, tested[row["job"]], margin)
            elif row["job"] == baseline_job and (tested or score_of(row)):
                found[row["job"]] = Loss(0.0, "")
    return found


def _loss(row: Row, quality: Quality, margin: Margin) -> Loss:
    difference = row[f"{row['quality_measure']}_difference"]
    estimated, verdict = Loss(max(0.0, -difference), ""), quality.quality_verdict
    if verdict in CERTIFIED or (verdict == "undecided" and margin.allow_undecided):
        return estimated
    if verdict == "worse":
        return Loss(None, f"worse by {in_points(-difference)}")
    needed = quality.quality_texts_needed
    decided = f": {rounded_up(needed)} {units_of(row)} would decide" if needed is not None else ""
    return Loss(None, f"undecided within {in_points(margin.fraction)}{decided}")
