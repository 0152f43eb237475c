"""The record of the slice of the texts on which a job loses the most: columns of summary.parquet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(kw_only=True)
class WorstSlice:
    """The slice of the texts on which a job loses the most against its baseline; null where nothing is compared."""

    slice_worst: Annotated[
        str | None,
        "Slice with the largest loss of accuracy, such as 'label: positive' or 'length: long'.",
    ] = None
    slice_texts: Annotated[int | None, "Number of its texts."] = None
    slice_accuracy_difference: Annotated[float | None, "accuracy − the baseline's, on this slice."] = None
    slice_accuracy_difference_low: Annotated[
        float | None, "Lower end of its 95% interval (Tango's score interval), for this slice alone."
    ] = None
    slice_accuracy_difference_high: Annotated[float | None, "Upper end of its 95% interval."] = None
    slice_p_value: Annotated[
        float | None,
        "Two-sided p-value of no difference on this slice (exact McNemar test), adjusted (Bonferroni) for the number "
        "of slices of this job.",
    ] = None
    slice_p_value_holm: Annotated[
        float | None, "The same p-value, adjusted (Holm) for the number of variants of the baseline, too."
    ] = None
