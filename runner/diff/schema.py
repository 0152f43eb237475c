"""The columns of diff.parquet, which has one row per measure and job that both sweeps have."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

VERSION: Final = 4


def _column(name: str, type_: Any, description: str) -> Any:
    return pa.field(name, type_, metadata={"description": description})


DIFF: Final = pa.schema(
    [
        _column("sweep_a", pa.string(), "Name of sweep A."),
        _column("sweep_b", pa.string(), "Name of sweep B."),
        _column("job_a", pa.string(), "Key of the job in A."),
        _column("job_b", pa.string(), "Key of the job in B."),
        _column("model", pa.string(), "Name of the model."),
        _column("technique", pa.string(), "Name of the technique."),
        _column("task", pa.string(), "Name of the task."),
        _column("workload", pa.string(), "Name of the workload."),
        _column("isolation", pa.string(), "Kind of box, the same on both sides."),
        _column("threads_a", pa.int64(), "Threads in A."),
        _column("threads_b", pa.int64(), "Threads in B."),
        _column("same_artifact", pa.bool_(), "Whether both ran the same artifact, byte for byte; null if unknown."),
        _column(
            "measure",
            pa.string(),
            "settings, status, latency_ratio (against each side's own baseline), latency, capacity_ratio (the same), "
            "capacity, memory, disk, load, first_call, score or predictions.",
        ),
        _column("score", pa.string(), "Which score it is: accuracy, spearman or ndcg_at_10; null for other measures."),
        _column("unit", pa.string(), "Unit of a and b: seconds, requests per second, bytes, fraction or ratio."),
        _column("a", pa.float64(), "The figure in A: geometric mean over its included trials, or the score."),
        _column("b", pa.float64(), "The same in B."),
        _column("n_a", pa.int64(), "Number of trials or examples behind a."),
        _column("n_b", pa.int64(), "Number of trials or examples behind b."),
        _column("ratio", pa.float64(), "b ÷ a; null for measures that are compared by difference."),
        _column(
            "difference",
            pa.float64(),
            "b − a for a score, or for a capacity if one is 0. Predictions, settings, status: how many differ.",
        ),
        _column("low", pa.float64(), "Lower end of the 95% interval of ratio or difference."),
        _column("high", pa.float64(), "Upper end of the 95% interval."),
        _column("p_value", pa.float64(), "Two-sided p-value of no change; null for exact figures."),
        _column("p_value_holm", pa.float64(), "The same, adjusted (Holm) across the jobs; null if not evaluated."),
        _column("floor", pa.float64(), "Ratio above 1 that a real change must exceed; null for none."),
        _column(
            "machine",
            pa.float64(),
            "The machine's own shift, b ÷ a: a real change is also beyond it; null if unknown.",
        ),
        _column("direction", pa.string(), "Direction from A to B: slower, larger, lower-score …; null for no change."),
        _column("real", pa.bool_(), "Whether it is a real change: significant and beyond the floor."),
        _column("not_evaluated", pa.string(), "Why it is not evaluated; null if it is."),
        _column("note", pa.string(), "Anything else, such as the settings that differ."),
    ],
    metadata={"pinbox.schema": str(VERSION), "pinbox.table": "diff"},
)
