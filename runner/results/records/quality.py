"""The record of the verdict on a job's quality: columns of summary.parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from runner.results.non_inferiority import QUALITY_VERDICTS


@dataclass(kw_only=True)
class QualityBasis:
    """What the tests of the quality rest on.

    The columns are null for the baseline, and where there are no labels and no judgements.
    """

    quality_measure: Annotated[
        str | None,
        "Column of the score that is tested, such as accuracy; its difference is NAME_difference.",
    ] = None
    quality_texts: Annotated[
        int | None, "Number of texts or queries that the tests are over; for tagged words the number of their texts."
    ] = None
    quality_deviation: Annotated[
        float | None, "Standard deviation over these texts of a text's difference to the baseline."
    ] = None
    quality_detectable: Annotated[
        float | None, "Smallest margin that this number of texts with this deviation certifies with 80% probability."
    ] = None


@dataclass(kw_only=True)
class Quality:
    """Whether a job is as good as its baseline within a margin. The columns are null where there is no test."""

    quality_margin: Annotated[float | None, "quality.margin of the config; 0.01 is one point of accuracy."] = None
    quality_p_value: Annotated[
        float | None,
        "p-value of the hypothesis that the score is lower than the baseline's by the margin or more, for this job "
        "alone: twice the one-sided p-value, so that below 0.05 the 95% interval lies above −margin.",
    ] = None
    quality_p_value_holm: Annotated[
        float | None, "The same p-value, adjusted (Holm) for the number of variants of the baseline."
    ] = None
    quality_verdict: Annotated[
        str | None,
        f"Result of the tests: {', '.join(QUALITY_VERDICTS)}. Equivalent: any loss is shown to be below the margin. "
        "Worse: a loss is shown, but it is not shown to be below the margin.",
    ] = None
    quality_texts_needed: Annotated[
        int | None,
        "If undecided: number of texts or queries that would decide with 80% probability, if this difference and "
        "this deviation are the true ones.",
    ] = None
