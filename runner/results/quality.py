"""The verdict on the quality of the variants of a baseline, from their rows of the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.results.judged import RANKING
from runner.results.non_inferiority import (
    Paired,
    PairedMeans,
    PairedShares,
    detectable_difference,
    quality_verdict,
    units_needed,
)
from runner.results.records.quality import Quality
from runner.results.records.summary import PredictionFigures
from runner.results.statistics import ALPHA, holm
from runner.results.tables import Row


def set_difference(figures: PredictionFigures, measure: str, paired: Paired) -> None:
    """Set the columns of a difference to the baseline's score.

    Args:
        figures: the figures that are set.
        measure: the column of the score. There are columns of its difference and of its interval.
        paired: the difference.
    """
    low, high = paired.interval
    for ending, value in {"": paired.value, "_low": low, "_high": high}.items():
        setattr(figures, f"{measure}_difference{ending}", value)


def set_quality_basis(figures: PredictionFigures, measure: str, paired: Paired) -> None:
    """Set what the verdict on the quality rests on. The arguments are those of `set_difference`."""
    figures.quality_measure = measure
    figures.quality_texts, figures.quality_deviation = paired.units, paired.deviation
    figures.quality_detectable = detectable_difference(paired)


def paired_of(row: Row) -> Paired | None:
    """Return the difference of scores that decides on a job's quality, from its row; None if there is none.

    Accuracies are shares, unless the examples are words, which are not independent of each other.
    """
    measure, texts = row["quality_measure"], row["quality_texts"]
    if measure is None:
        return None
    if measure == "accuracy" and texts == row["examples"]:
        flips = (row["negative_flips_fraction"], row["positive_flips_fraction"])
        losses, gains = (round(fraction * texts) for fraction in flips)
        return PairedShares(texts, losses, gains)
    return PairedMeans(row[f"{measure}_difference"], row["quality_deviation"], texts)


def units_of(row: Row) -> str:
    """Return the unit of the tests of a variant's quality: texts or queries."""
    return "queries" if row["quality_measure"] in RANKING else "texts"


def qualities(rows: Sequence[Row], margin: float) -> dict[str, Quality]:
    """Return the quality of each variant of a baseline that has a difference, by its job.

    Both tests, of an inferiority by the margin and of no difference, are adjusted across the variants.

    Args:
        rows: the rows of the jobs that share the baseline.
        margin: the margin, 0.01 for one point.
    """
    paired = {str(row["job"]): difference for row in rows if (difference := paired_of(row)) is not None}
    once = {difference: difference.inferiority_p_value(margin) for difference in set(paired.values())}
    alone = {job: once[difference] for job, difference in paired.items()}
    inferior = adjusted(alone)
    different = adjusted({job: difference.p_value for job, difference in paired.items()})
    undecided = sum(p_value >= ALPHA for p_value in inferior.values())
    found = {}
    for job, difference in paired.items():
        verdict = quality_verdict(difference.value, different[job], inferior[job])
        found[job] = Quality(
            quality_margin=margin,
            quality_p_value=alone[job],
            quality_p_value_holm=inferior[job],
            quality_verdict=verdict,
            quality_texts_needed=units_needed(difference, margin, undecided) if verdict == "undecided" else None,
        )
    return found


def adjusted(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return the p-values of some jobs, adjusted across all of them."""
    return dict(zip(p_values, holm(list(p_values.values())), strict=True))
