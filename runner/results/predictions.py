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
from runner.results.similarity import cosines
from runner.results.statistics import sigmoid, softmax, total_variation
from runner.tasks.kinds import EMBEDDING, MULTI_LABEL, SINGLE_LABEL, THRESHOLD, joined

Name = str | frozenset[str]  # of a label; of all labels of a multi-label text


@dataclass(frozen=True)
class Evaluation:
    """One artifact judged on one task and workload: parallel lists, one entry per example."""

    jobs: list[str]
    artifact: str  # content hash
    lineage: list[dict[str, Any]]  # the steps that made it, first to last
    trained: bool  # False for random weights, whose accuracy means nothing
    kind: str  # how it is judged; see runner/tasks/kinds.py
    pairs: bool  # whether each text is two of them, a line each
    names: list[str]  # of the labels, in the order of the logits
    texts: list[str]
    labels: list[Name | None]
    probabilities: list[list[float] | None]  # None where a logit was not a finite number
    predictions: list[Name | None]
    metrics: Mapping[str, float | None]  # of the user's own
    vectors: list[list[float]]  # of texts judged by them; empty for any other task, or where a number is not finite
    neighbours: Mapping[str, Any]  # how far they depend on batch and padding; see runner/trial/neighbours.py


def read_evaluations(sweep: Path) -> tuple[list[Evaluation], list[str]]:
    """Read all predictions files; the second list says, a line each, which could not be read and why."""
    evaluations, warnings = [], []
    for path in sorted((sweep / "predictions").glob("*.json")):
        try:
            text = path.read_text(encoding="utf-8")
            content = json.loads(text)
            if "\\ud" in text:  # half a character, such as \\ud800, can be in no table
                json.dumps(content, ensure_ascii=False).encode()
            evaluations.append(_parse(content))
        except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
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
    if not all(isinstance(name, str) for name in (*content["jobs"], *content["labels"])):
        raise ValueError("a job or a label has a name that is no text")
    classes = len(logits[0]) if logits else 0
    names = list(content["labels"]) or [str(i) for i in range(classes)]
    kind = str(content.get("kind", SINGLE_LABEL))
    if kind == EMBEDDING:
        return _of_vectors(content)
    if any(label is not None and isinstance(label, list) != (kind == MULTI_LABEL) for label in content["label"]):
        raise ValueError("a text has a list of labels in a task of one each, or the other way round")
    probable = sigmoid if kind == MULTI_LABEL else softmax
    probabilities = [probable(row) if all(map(math.isfinite, row)) else None for row in logits]
    if any(len(row) != len(names) for row in logits):
        raise ValueError(f"a row of logits does not have {len(names)} values, one per label")
    return Evaluation(
        jobs=list(content["jobs"]),
        artifact=str(content["artifact"]),
        lineage=list(content.get("lineage") or []),
        trained=content["weights"] == "trained",
        kind=kind,
        pairs=bool(content.get("pairs")),
        names=names,
        texts=[str(text) for text in texts],
        labels=[None if label is None else _named(label, names) for label in content["label"]],
        probabilities=probabilities,
        predictions=[None if p is None else _named(_predicted(p, kind), names) for p in probabilities],
        metrics={},
        vectors=[],
        neighbours=content.get("neighbours") or {},
    )


def _of_vectors(content: Mapping[str, Any]) -> Evaluation:
    texts, vectors = content["texts"], content["logits"]
    if len({len(vector) for vector in vectors}) > 1:
        raise ValueError("vectors differ in width")
    unknown: list[Any] = [None] * len(texts)
    return Evaluation(
        jobs=list(content["jobs"]),
        artifact=str(content["artifact"]),
        lineage=list(content.get("lineage") or []),
        trained=content["weights"] == "trained",
        kind=EMBEDDING,
        pairs=bool(content.get("pairs")),
        names=[],
        texts=[str(text) for text in texts],
        labels=unknown,
        probabilities=unknown,
        predictions=unknown,
        metrics={},
        vectors=vectors if all(math.isfinite(value) for vector in vectors for value in vector) else [],
        neighbours=content.get("neighbours") or {},
    )


def _cosines(base: Evaluation | None, own: Evaluation) -> list[float | None]:
    """Return each text's cosine; None where there are no two vectors to compare."""
    if base is None or not comparable_vectors(base, own):
        return [None] * len(own.texts)
    return [*cosines(base.vectors, own.vectors)]


def comparable_vectors(base: Evaluation, own: Evaluation) -> bool:
    """Whether both have vectors, of the same width."""
    return bool(base.vectors and own.vectors) and len(base.vectors[0]) == len(own.vectors[0])


def _named(label: int | list[int], names: Sequence[str]) -> Name:
    return names[label] if isinstance(label, int) else frozenset(names[one] for one in label)


def _predicted(probabilities: Sequence[float], kind: str) -> int | list[int]:
    """Return the number of the label that is predicted, or the numbers of all."""
    if kind == MULTI_LABEL:
        return [number for number, p in enumerate(probabilities) if p > THRESHOLD]
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def _shown(name: Name | None, names: Sequence[str]) -> str | None:
    return joined([one for one in names if one in name]) if isinstance(name, frozenset) else name


def _certainty(probabilities: list[float] | None, kind: str) -> float | None:
    """Return the probability of what is predicted: of several labels, as if each were independent of the others."""
    if probabilities is None:
        return None
    return math.prod(max(p, 1 - p) for p in probabilities) if kind == MULTI_LABEL else max(probabilities)


def _moved(p: list[float] | None, q: list[float] | None, kind: str) -> float | None:
    if p is None or q is None:
        return None
    return max(abs(a - b) for a, b in zip(p, q, strict=True)) if kind == MULTI_LABEL else total_variation(p, q)


def _job_table(job: Mapping[str, Any], own: Evaluation, baseline: Evaluation | None) -> Any:
    n = len(own.texts)
    same = baseline is not None and baseline.texts == own.texts and baseline.names == own.names
    base = baseline if baseline is not None and same else None
    base_probabilities = base.probabilities if base else [None] * n
    values = {
        **{key: [job.get(key)] * n for key in ("job", "model", "technique", "task", "workload")},
        "example": range(n),
        "text": own.texts,
        "label": [_shown(label, own.names) for label in own.labels],
        "prediction": [_shown(prediction, own.names) for prediction in own.predictions],
        "probability": [_certainty(p, own.kind) for p in own.probabilities],
        "probabilities": own.probabilities,
        "baseline_prediction": [_shown(p, own.names) for p in base.predictions] if base else [None] * n,
        "baseline_probability": [_certainty(p, own.kind) for p in base_probabilities],
        "cosine": _cosines(base, own),
        "moved": [_moved(p, q, own.kind) for p, q in zip(own.probabilities, base_probabilities, strict=True)],
    }
    return pa.Table.from_pydict(values, schema=PREDICTIONS)
