"""Writes sweeps on tasks whose texts people judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.results.synthetic import BASELINE, Job, edit, write_sweep

INT8 = Job("onnx-int8", 0.04)
SCORES = [float(place % 6) for place in range(60)]


def cosines_of(job: Job, noise: float = 0.6) -> list[float]:
    """Return the cosine of each pair; with this noise where the job is not the baseline."""
    drawn = np.random.default_rng(0 if job is BASELINE else 1).normal(size=60)
    return (np.array(SCORES) / 6 + (0.2 if job is BASELINE else noise) * drawn).tolist()


def write_pairs(folder: Path, noise: float = 0.6) -> Path:
    """Write a sweep on pairs with scores."""
    texts = [f"text {'abcdefgh'[i % 8]} {'ijklmnop'[i // 8]}\nother" for i in range(60)]
    write_sweep(folder, [BASELINE, INT8], labels=[], texts=texts)
    for job in (BASELINE, INT8):
        cosines = [[cosine] for cosine in cosines_of(job, noise)]
        edit(folder / "predictions" / f"{job.key}.json", kind="similarity", label=SCORES, logits=cosines)
    return folder


def ranked(job: Job) -> tuple[list[list[int]], list[list[tuple[int, float]]]]:
    """Return rankings of 120 documents for 60 queries, and the judgements of 5 documents of each."""
    chance = np.random.default_rng(2)
    judged = [
        [(place, float(chance.integers(-1, 4))) for place in chance.permutation(120)[:5].tolist()] for _ in range(60)
    ]
    noise = np.random.default_rng(0 if job is BASELINE else 1)
    rankings = []
    for own in judged:
        scores = noise.normal(size=120)
        for place, grade in own:
            scores[place] += grade * (1.5 if job is BASELINE else 0.7)
        rankings.append(np.argsort(-scores)[:100].tolist())
    return rankings, judged


def write_queries(folder: Path) -> Path:
    """Write a sweep on queries with judged documents."""
    write_sweep(
        folder,
        [BASELINE, INT8],
        labels=[],
        texts=[f"query {'abcdefgh'[i % 8]} {'ijklmnop'[i // 8]}" for i in range(60)],
    )
    for job in (BASELINE, INT8):
        rankings, judged = ranked(job)
        file = folder / "predictions" / f"{job.key}.json"
        edit(file, kind="retrieval", label=[None] * 60, rankings=rankings, judged=judged)
    return folder
