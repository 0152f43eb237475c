"""Make the content of a job's predictions file, which can be read without the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.schema import Config
from runner.config.task_kinds import RERANK, RETRIEVAL, SIMILARITY
from runner.results.lineage import labels_of_head, other_outputs
from runner.results.similarity import cosines
from runner.results.vector_index import nearest, ranking
from runner.store.sweep_folder import SCHEMA
from runner.sweep.prepare import PreparedFiles
from runner.tasks.texts import read_judgements, read_labels, read_pairs, read_split


def predictions_of(cfg: Config, job: str, prepared: PreparedFiles) -> dict[str, Any]:
    """Return the texts, their labels or scores, and what the job makes of them; see runner/results/predictions.py.

    Args:
        cfg: the job's config.
        job: the job's key.
        prepared: what was prepared for the job.
    """
    labels, lineage = read_labels(prepared.texts.path), prepared.artifact.lineage
    return {
        "schema": SCHEMA,
        "artifact": prepared.artifact.content,
        "model": cfg.model.name,
        "family": cfg.model.family,
        "weights": cfg.model.weights.value,
        "technique": cfg.technique.name,
        "task": cfg.task.name,
        "workload": cfg.workload.name,
        "jobs": [job],
        "labels": labels or labels_of_head(lineage),
        "other_outputs": other_outputs(lineage, labels),
        "kind": cfg.task.kind,
        "pairs": read_pairs(prepared.texts.path),
        **_OF_KINDS.get(cfg.task.kind, _labelled)(prepared.texts.path, prepared.logits, cfg),
        "batch_sensitivity": prepared.batch_sensitivity,
        "lineage": lineage,
    }


def _labelled(texts: Path, logits: np.ndarray, cfg: Config) -> dict[str, Any]:
    """Return each text with its label and its logits."""
    examples = read_split(texts, "test")
    of_words = examples[0].words is not None
    return {
        "texts": [example.whole for example in examples],
        "label": [example.label for example in examples],
        **({"words": [example.words for example in examples]} if of_words else {}),
        "slices": {
            column: [example.slices[place] for example in examples if example.slices]
            for place, column in enumerate(cfg.task.slice_columns)
        },
        "logits": logits.tolist(),
    }


def _similarity(texts: Path, vectors: np.ndarray, cfg: Config) -> dict[str, Any]:
    """Return each pair of texts with its score as the label, and the cosine of its vectors as the only logit."""
    examples, judgements = read_split(texts, "test"), read_judgements(texts)
    firsts, seconds = [one.first for one in judgements], [one.second for one in judgements]
    return {
        "texts": [f"{examples[first].text}\n{examples[second].text}" for first, second, _ in judgements],
        "label": [judgement.score for judgement in judgements],
        "logits": [[cosine] for cosine in cosines(vectors[firsts], vectors[seconds])],
    }


def _retrieval(texts: Path, vectors: np.ndarray, cfg: Config) -> dict[str, Any]:
    """Return each query with its judgements and with the documents nearest to it, both by the documents' places."""
    queries = read_split(texts, "test")
    judged: list[list[tuple[int, float]]] = [[] for _ in queries]
    for query, document, grade in read_judgements(texts):
        judged[query].append((document, grade))
    return {
        "texts": [query.text for query in queries],
        "label": [None] * len(queries),
        "judged": judged,
        "rankings": nearest(vectors[: len(queries)], vectors[len(queries) :], cfg.technique.vectors),
    }


def _rerank(texts: Path, scores: np.ndarray, cfg: Config) -> dict[str, Any]:
    """Return each query with its judgements and with its candidates, best first, both by the places of the pairs."""
    pairs = read_split(texts, "test")
    judged: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for query, place, grade in read_judgements(texts):
        judged[query].append((place, grade))
    candidates = [[place for place, _ in judged[query] if place >= 0] for query in sorted(judged)]
    return {
        "texts": [pairs[places[0]].text for places in candidates],
        "label": [None] * len(candidates),
        "judged": [judged[query] for query in sorted(judged)],
        "rankings": [_ranked(places, scores[places, 0]) for places in candidates],
    }


def _ranked(places: list[int], scores: np.ndarray) -> list[int] | None:
    return [places[best] for best in ranking(scores)] if np.isfinite(scores).all() else None


_OF_KINDS: dict[str, Callable[[Path, np.ndarray, Config], dict[str, Any]]] = {
    SIMILARITY: _similarity,
    RETRIEVAL: _retrieval,
    RERANK: _rerank,
}
