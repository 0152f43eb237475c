"""How predictions files become a table: one row for each example and job, beside what the baseline predicts."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from runner.config.task_kinds import EMBEDDING, LABELLED, MULTI_LABEL, RANKED, SINGLE_LABEL, THRESHOLD, TOKENS, joined
from runner.results.accuracy import sigmoid, softmax, total_variation
from runner.results.cores import parallel_map
from runner.results.json_files import read_json
from runner.results.judged import BY_EXAMPLE, figures_by_example
from runner.results.schema import PREDICTIONS
from runner.results.similarity import cosines
from runner.results.token_metrics import by_word
from runner.store.sweep_folder import SweepFolder

Name = str | frozenset[str]  # the name of a label, or the names of all labels of a multi-label text

_FILES_AT_ONCE = 50
_Known = dict[tuple[Any, ...], tuple[Any, ...]]  # each distinct list of texts or labels, stored once
_BROKEN = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One artifact evaluated on one task and workload: parallel lists, with one entry for each example.

    Attributes:
        jobs: the keys of the jobs that run the artifact.
        artifact: its content hash.
        lineage: the steps that made it, first to last.
        trained: False for random weights, whose accuracy means nothing.
        kind: how it is evaluated; see runner/config/task_kinds.py.
        pairs: whether each text is a pair, with a line for each of the two.
        names: the names of the outputs, in the order of the logits: the task's labels, then outputs that it has no
            label for.
        task_names: the task's labels alone.
        texts: one for each example.
        of_text: the number of each example's text; in a tagged text, every word is an example.
        labels: the true labels; None where there is none.
        probabilities: [examples, labels], not a number where a logit was not finite.
        predictions: the predicted labels; None where a logit was not finite.
        metrics: the values of the user's own metrics.
        vectors: [examples, width], for a task of kind embedding; empty for others, or where one is not finite.
        slices: the value of each example in each of `task.slice_columns`.
        by_example: for a task whose texts people judged, figures of each example by their names; empty for others.
        batch_sensitivity: how far the predictions depend on batch and padding; see runner/trial/batch_sensitivity.py.
        digest: a hash of what was evaluated and of the result: two evaluations with the same one differ in their jobs
            only.
    """

    jobs: list[str]
    artifact: str
    lineage: list[dict[str, Any]]
    trained: bool
    kind: str
    pairs: bool
    names: list[str]
    task_names: list[str]
    texts: tuple[str, ...]
    of_text: np.ndarray
    labels: tuple[Name | None, ...]
    probabilities: np.ndarray
    predictions: list[Name | None]
    metrics: Mapping[str, float | None]
    vectors: np.ndarray
    slices: Mapping[str, Sequence[str]]
    by_example: Mapping[str, np.ndarray]
    batch_sensitivity: Mapping[str, Any]
    digest: str


def read_evaluations(sweep: Path) -> tuple[list[Evaluation], list[str]]:
    """Read all predictions files; the second list says which could not be read and why, with a line for each."""
    evaluations, warnings = [], []
    known: _Known = {}
    folder = SweepFolder(sweep).predictions
    names = sorted(path.name for path in folder.glob("*.json"))
    for chunk in parallel_map(partial(_read, folder), names, _FILES_AT_ONCE):
        for read in chunk:
            if isinstance(read, str):
                warnings.append(read)
            else:
                evaluations.append(_sharing(read, known))
    return evaluations, warnings


def predictions_parts(jobs: Sequence[Mapping[str, Any]], evaluations: Sequence[Evaluation]) -> Iterator[Any]:
    """Yield the predictions table job by job, in the order of the plan."""
    by_job = {job: evaluation for evaluation in evaluations for job in evaluation.jobs}
    for job in jobs:
        if job["job"] in by_job:
            yield _job_table(job, by_job[job["job"]], by_job.get(job.get("baseline") or ""))


def _read(folder: Path, names: Sequence[str]) -> list[Evaluation | str]:
    """Return what each file holds, or why it cannot be read."""
    known: _Known = {}  # shared values are sent to another process once
    each = (_read_one(folder / name) for name in names)
    return [read if isinstance(read, str) else _sharing(read, known) for read in each]


def _sharing(evaluation: Evaluation, known: _Known) -> Evaluation:
    """Return the evaluation; it shares texts and labels with an earlier one if they are equal."""
    texts, labels = (known.setdefault(values, values) for values in (evaluation.texts, evaluation.labels))
    return replace(evaluation, texts=texts, labels=labels)


def _read_one(path: Path) -> Evaluation | str:
    try:
        return _parse(read_json(path))
    except _BROKEN as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return f"predictions/{path.name} cannot be read: {reason}"


def _parse(content: Mapping[str, Any]) -> Evaluation:
    of_text = np.arange(len(content["texts"]))
    if content.get("kind") == TOKENS:
        content, of_text = by_word(content)
    texts, others = content["texts"], content.get("other_outputs") or []
    logits = [[] for _ in texts] if content.get("kind") in RANKED else content["logits"]
    if not len(logits) == len(texts) == len(content["label"]):
        raise ValueError("texts, label and logits differ in length")
    slices = {str(column): list(map(str, values)) for column, values in (content.get("slices") or {}).items()}
    if any(len(values) != len(texts) for values in slices.values()):
        raise ValueError("texts and slices differ in length")
    if not all(isinstance(name, str) for name in (*content["jobs"], *content["labels"], *others)):
        raise ValueError("a job or a label has a name that is not a text")
    trained, kind = content["weights"] == "trained", str(content.get("kind", SINGLE_LABEL))
    pairs, texts = bool(content.get("pairs")), tuple(map(str, texts))
    values = _matrix(logits)
    outputs = _of_classes(values, content, kind) if kind in LABELLED else _without_labels(values, kind)
    by_example = figures_by_example(content, values, kind)
    identity = repr((trained, kind, pairs, texts, outputs.names, content["label"], slices)).encode()
    return Evaluation(
        jobs=list(content["jobs"]),
        artifact=str(content["artifact"]),
        lineage=list(content.get("lineage") or []),
        trained=trained,
        kind=kind,
        pairs=pairs,
        names=outputs.names,
        task_names=outputs.task_names,
        texts=texts,
        of_text=of_text,
        labels=outputs.labels,
        probabilities=outputs.probabilities,
        predictions=outputs.predictions,
        metrics={},
        vectors=outputs.vectors,
        slices=slices,
        by_example=by_example,
        batch_sensitivity=content.get("batch_sensitivity") or {},
        digest=hashlib.sha256(b"".join([identity, *(a.tobytes() for a in (values, *by_example.values()))])).hexdigest(),
    )


@dataclass(frozen=True, eq=False)
class _Outputs:
    """What the logits of an artifact say; the fields are those of `Evaluation`."""

    names: list[str]
    task_names: list[str]
    labels: tuple[Name | None, ...]
    probabilities: np.ndarray
    predictions: list[Name | None]
    vectors: np.ndarray


def _matrix(rows: Sequence[Sequence[float]]) -> np.ndarray:
    width = len(rows[0]) if rows else 0
    if any(map(width.__ne__, map(len, rows))):
        raise ValueError("rows of logits differ in length")
    return np.array(array("d", chain.from_iterable(rows))).reshape(len(rows), width)


def _of_classes(logits: np.ndarray, content: Mapping[str, Any], kind: str) -> _Outputs:
    forms = set(map(type, content["label"])) - {type(None)}
    if forms - {list} if kind == MULTI_LABEL else list in forms:
        raise ValueError("a text has a list of labels in a single-label task, or one label in a multi-label task")
    labels = list(content["labels"]) or [str(i) for i in range(logits.shape[1])]
    names = [*labels, *(content.get("other_outputs") or [])]
    if len(logits) and logits.shape[1] != len(names):
        raise ValueError(f"a row of logits does not have {len(names)} values, one per label")
    probabilities = sigmoid(logits) if kind == MULTI_LABEL else softmax(logits)
    return _Outputs(
        names=names,
        task_names=labels,
        labels=_named(content["label"], names, kind),
        probabilities=probabilities,
        predictions=_predicted(probabilities, names, kind),
        vectors=np.zeros((0, 0)),
    )


def _without_labels(vectors: np.ndarray, kind: str) -> _Outputs:
    unknown: list[Name | None] = [None] * len(vectors)
    return _Outputs(
        names=[],
        task_names=[],
        labels=tuple(unknown),
        probabilities=np.full((len(vectors), 1), np.nan),  # no label has one
        predictions=unknown,
        vectors=vectors if kind == EMBEDDING and np.isfinite(vectors).all() else np.zeros((0, 0)),
    )


def comparable_vectors(base: Evaluation, evaluation: Evaluation) -> bool:
    """Return whether both have vectors, of the same width."""
    return bool(evaluation.vectors.size) and base.vectors.shape == evaluation.vectors.shape


def _cosines(base: Evaluation | None, evaluation: Evaluation) -> Any:
    """Return each text's cosine; null where there are no two vectors to compare."""
    if base is None or not comparable_vectors(base, evaluation):
        return pa.nulls(len(evaluation.texts), pa.float64())
    return pa.array(cosines(base.vectors, evaluation.vectors), pa.float64())


def _named(labels: Sequence[Any], names: Sequence[str], kind: str) -> tuple[Name | None, ...]:
    """Return the name of each label, or the set of names for each multi-label text; None where there is no label."""
    if kind == MULTI_LABEL:
        return tuple(None if places is None else frozenset(names[place] for place in places) for places in labels)
    return tuple(None if place is None else names[place] for place in labels)


def _predicted(probabilities: np.ndarray, names: Sequence[str], kind: str) -> list[Name | None]:
    """Return the name of each predicted label, or the set of names; None where a logit was not finite."""
    if not len(probabilities):
        return []
    if kind == MULTI_LABEL:
        places: list[Any] = [np.flatnonzero(row).tolist() for row in probabilities > THRESHOLD]
    else:
        places = probabilities.argmax(axis=1).tolist()
    for unknown in np.flatnonzero(np.isnan(probabilities).any(axis=1)):
        places[unknown] = None
    return list(_named(places, names, kind))


def _shown_all(those: Sequence[Name | None], names: Sequence[str]) -> Any:
    """Return names as a column; several labels of one text are joined into one name."""
    if frozenset in set(map(type, those)):
        those = [given if given is None else joined([name for name in names if name in given]) for given in those]
    return pa.array(those, pa.string())


def _certainty(probabilities: np.ndarray, kind: str) -> Any:
    """Return the probability of each prediction; several labels are treated as independent of each other."""
    if not probabilities.size:
        return _known(np.zeros(len(probabilities)))
    if kind == MULTI_LABEL:
        return _known(np.maximum(probabilities, 1 - probabilities).cumprod(axis=1)[:, -1])
    return _known(probabilities.max(axis=1))


def _total_variation(p: np.ndarray, q: np.ndarray, kind: str) -> Any:
    return _known(np.abs(p - q).max(axis=1) if kind == MULTI_LABEL and p.size else total_variation(p, q))


def _job_table(job: Mapping[str, Any], evaluation: Evaluation, baseline: Evaluation | None) -> Any:
    n = len(evaluation.texts)
    same = baseline is not None and baseline.texts == evaluation.texts and baseline.task_names == evaluation.task_names
    base = baseline if baseline is not None and same else None
    outputs_alike = base is not None and base.names == evaluation.names
    values = {
        **{
            key: pa.repeat(pa.scalar(job.get(key), pa.string()), n)
            for key in ("job", "model", "technique", "task", "workload")
        },
        "example": np.arange(n),
        "of_text": evaluation.of_text,
        "text": pa.array(evaluation.texts, pa.string()),
        "label": _shown_all(evaluation.labels, evaluation.names),
        "prediction": _shown_all(evaluation.predictions, evaluation.names),
        "probability": _certainty(evaluation.probabilities, evaluation.kind),
        "probabilities": _lists(evaluation.probabilities),
        "baseline_prediction": _shown_all(base.predictions, base.names) if base else pa.nulls(n, pa.string()),
        "baseline_probability": _certainty(base.probabilities, evaluation.kind) if base else pa.nulls(n, pa.float64()),
        "cosine": _cosines(base, evaluation),
        "total_variation": _total_variation(evaluation.probabilities, base.probabilities, evaluation.kind)
        if base and outputs_alike
        else pa.nulls(n, pa.float64()),
        **{
            name: _known(evaluation.by_example[name]) if name in evaluation.by_example else pa.nulls(n, pa.float64())
            for name in BY_EXAMPLE
        },
    }
    return pa.table(values, schema=PREDICTIONS)


def _known(values: np.ndarray) -> Any:
    return pa.array(values, pa.float64(), from_pandas=True)


def _lists(probabilities: np.ndarray) -> Any:
    examples, labels = probabilities.shape
    offsets = np.arange(examples + 1, dtype=np.int32) * labels
    unknown = np.isnan(probabilities).any(axis=1)
    return pa.ListArray.from_arrays(offsets, pa.array(probabilities.ravel()), mask=pa.array(unknown))
