"""Divide the test texts into those that select a variant, and those that are held out to report its score.

The score of the best of many variants is too high on the texts that selected it, because the best one was also lucky
(G. C. Cawley, N. L. C. Talbot, J. Mach. Learn. Res. 11, 2010).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from runner.results.format import listed
from runner.results.records.search import read_state
from runner.results.score import Figures, Interval, Score, score_of
from runner.results.tables import Tables
from runner.store.sweep_folder import SweepFolder

_LEFT_OUT = re.compile(r"https?://\S+|[@#]\w+|[\W\d_]+")  # addresses, names, marks, digits and punctuation


@dataclass(frozen=True)
class Halves:
    """The score of a job on both halves of the texts.

    Attributes:
        score: the measure of quality.
        selection: the score on the texts that may select a variant.
        held_out: the score on the held-out texts.
        interval: its 95% interval.
        held_out_examples: the number of examples in the held-out half.
    """

    score: Score
    selection: float
    held_out: float
    interval: Interval
    held_out_examples: int

    @property
    def text(self) -> str:
        """Return the score on the held-out texts with its 95% interval, as '80.1% (77.2–82.7)'."""
        return self.score.text_with_interval(self.held_out, self.interval)


def is_held_out(text: str, seed: int) -> bool:
    """Return whether a text is held out.

    Texts that differ only in case, punctuation, digits, addresses and names are near-duplicates, and are in the same
    half. The half follows from the words alone, so that it is the same in every sweep with this seed.

    Args:
        text: the text.
        seed: another seed gives other halves.
    """
    words = " ".join(_LEFT_OUT.sub(" ", text).casefold().split())
    return bool(hashlib.sha256(f"{seed}\n{words}".encode()).digest()[0] & 1)


def scores_by_half(tables: Tables, seed: int) -> dict[str, Halves]:
    """Return the score of each job on both halves. Jobs without a score, and those with an empty half, are left out.

    All words of a tagged text are in the half of its first one.
    """
    jobs: dict[Score, list[str]] = defaultdict(list)
    for row in tables.jobs:
        if (score := score_of(row)) is not None:
            jobs[score].append(row["job"])
    return {job: halves for score, own in jobs.items() for job, halves in _by_half(tables, score, own, seed).items()}


def _by_half(tables: Tables, score: Score, jobs: Sequence[str], seed: int) -> dict[str, Halves]:
    held_out: dict[tuple[str, int], bool] = {}
    examples: dict[str, tuple[list[Figures], list[Figures]]] = defaultdict(lambda: ([], []))
    columns = ["job", "task", "of_text", "text", *score.of_example]
    for part in tables.predictions.parts(columns, jobs):
        rows = zip(*(part[name].to_pylist() for name in columns), strict=True)
        for job, task, of_text, text, *figures in rows:
            if (task, of_text) not in held_out:
                held_out[task, of_text] = is_held_out(text, seed)
            examples[job][held_out[task, of_text]].append(figures)
    return {job: _halves(score, seen, unseen) for job, (seen, unseen) in examples.items() if seen and unseen}


def _halves(score: Score, seen: Sequence[Figures], unseen: Sequence[Figures]) -> Halves:
    held_out, interval = score.of(unseen)
    return Halves(score, score.of(seen)[0], held_out, interval, len(unseen))


def search_note(tables: Tables) -> list[str]:
    """Return which techniques a search has chosen, and their scores on the texts that it did not use for this."""
    rungs = read_state(SweepFolder(tables.folder)).rungs
    if not rungs:
        return []
    chosen = [row for row in tables.jobs if row["technique"] in rungs[-1].survivors]
    halves = scores_by_half(tables, tables.manifest["seed"])
    found = [f"{row['technique']} {halves[row['job']].text}" for row in chosen if row["job"] in halves]
    if not found:
        return []
    score = next(one.score for one in halves.values())
    return [
        f"A search chose {listed(found)} by speed, size and the {score.title} on half of the texts. These figures are "
        "on the other half. The tables, the verdicts and the limits of the quality use all texts, so they are a little "
        "too good for the chosen techniques."
    ]
