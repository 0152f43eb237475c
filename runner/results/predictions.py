"""Reading predictions files: one row per example × job, beside what the baseline predicted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from runner.results.schema import PREDICTIONS
from runner.results.statistics import softmax, total_variation


@dataclass(frozen=True)
class Evaluation:
    """One artifact judged on one task and workload: parallel lists, one entry per example."""

    jobs: list[str]
    artifact: str  # content hash
    lineage: list[dict[str, Any]]  # the steps that made it, first to last
    trained: bool  # False for random weights, whose accuracy means nothing
    pairs: bool  # whether each text is two of them, a line each
    names: list[str]  # of the labels, in the order of the logits
    texts: list[str]
    labels: list[str | None]
    probabilities: list[list[float] | None]  # None where a logit was not a finite number
    predictions: list[str | None]
    neighbours: Mapping[str, Any]  # how far they depend on batch and padding; see runner/trial/neighbours.py


def read_evaluations(sweep: Path) -> tuple[list[Evaluation], list[str]]:
    """Read all predictions files; the second list says, a line each, which could not be read and why."""
    evaluations, warnings = [], []
    for path in sorted((sweep / "predictions").glob("*.json")):
        try:
            evaluations.append(_parse(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            warnings.append(f"predictions/{path.name} cannot be read: {reason}")
    return evaluations, warnings


def predictions_table(jobs: Sequence[Mapping[str, Any]], evaluations: Sequence[Evaluation]) -> Any:
    """Build the predictions table, in the order of the plan's jobs."""
    by_job = {job: evaluation for evaluation in evaluations for job in evaluation.jobs}
    tables = [
        _job_table(job, by_job[job["job"]], by_job.get(job.get("baseline") or ""))
        for job in jobs
        if job["job"] in by_job
    ]
    return pa.concat_tables([PREDICTIONS.empty_table(), *tables])


def _parse(content: Mapping[str, Any]) -> Evaluation:
    logits, texts = content["logits"], content["texts"]
    if not len(logits) == len(texts) == len(content["label"]):
        raise ValueError("texts, label and logits differ in length")
    classes = len(logits[0]) if logits else 0
    names = list(content["labels"]) or [str(i) for i in range(classes)]
    probabilities = [softmax(row) if all(map(math.isfinite, row)) else None for row in logits]
    if any(len(row) != len(names) for row in logits):
        raise ValueError(f"a row of logits does not have {len(names)} values, one per label")
    return Evaluation(
        jobs=list(content["jobs"]),
        artifact=str(content["artifact"]),
        lineage=list(content.get("lineage") or []),
        trained=content["weights"] == "trained",
        pairs=bool(content.get("pairs")),
        names=names,
        texts=[str(text) for text in texts],
        labels=[None if label is None else names[label] for label in content["label"]],
        probabilities=probabilities,
        predictions=[None if p is None else names[p.index(max(p))] for p in probabilities],
        neighbours=content.get("neighbours") or {},
    )


def _job_table(job: Mapping[str, Any], own: Evaluation, baseline: Evaluation | None) -> Any:
    n = len(own.texts)
    same = baseline is not None and baseline.texts == own.texts and baseline.names == own.names
    base = baseline if baseline is not None and same else None
    base_probabilities = base.probabilities if base else [None] * n
    values = {
        **{key: [job.get(key)] * n for key in ("job", "model", "technique", "task", "workload")},
        "example": range(n),
        "text": own.texts,
        "label": own.labels,
        "prediction": own.predictions,
        "probability": [max(p) if p else None for p in own.probabilities],
        "probabilities": own.probabilities,
        "baseline_prediction": base.predictions if base else [None] * n,
        "baseline_probability": [max(p) if p else None for p in base_probabilities],
        "moved": [
            total_variation(p, q) if p and q else None
            for p, q in zip(own.probabilities, base_probabilities, strict=True)
        ],
    }
    return pa.Table.from_pydict(values, schema=PREDICTIONS)
