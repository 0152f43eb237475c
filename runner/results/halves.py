"""Divide the test texts into those that a choice may see, and those that are held out to report what was chosen.

Whoever picks the best of many variants by their accuracy on some texts, and reports its accuracy on the same texts,
reports too much: the best one was also lucky (G. C. Cawley, N. L. C. Talbot, J. Mach. Learn. Res. 11, 2010).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from statistics import fmean

from runner.results.format import percent
from runner.results.statistics import wilson_interval
from runner.results.tables import Tables

_LEFT_OUT = re.compile(r"https?://\S+|[@#]\w+|[\W\d_]+")  # addresses, names, marks, digits and punctuation
_COLUMNS = ["job", "task", "of_text", "text", "label", "prediction"]


@dataclass(frozen=True)
class Halves:
    """The accuracy of a job on both halves of the texts.

    Attributes:
        selection: on the texts that a choice may see.
        held_out: on the others.
        held_out_examples: the number of examples in the second half.
    """

    selection: float
    held_out: float
    held_out_examples: int

    @property
    def text(self) -> str:
        """Return the accuracy on the held-out texts with its 95% interval, as '80.1% (77.2–82.7)'."""
        low, high = wilson_interval(self.held_out * self.held_out_examples, self.held_out_examples)
        return f"{percent(self.held_out)} ({100 * low:.1f}–{100 * high:.1f})"


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


def accuracies_by_half(tables: Tables, seed: int) -> dict[str, Halves]:
    """Return the accuracy of each job on both halves. Jobs without labels, and those with an empty half, are left out.

    All words of a tagged text are in the half of its first one.
    """
    held_out: dict[tuple[str, int], bool] = {}
    right: dict[str, list[list[bool]]] = defaultdict(lambda: [[], []])
    labelled = [row["job"] for row in tables.jobs if row["accuracy"] is not None]
    for part in tables.predictions.parts(_COLUMNS, labelled):
        rows = zip(*(part[name].to_pylist() for name in _COLUMNS), strict=True)
        for job, task, of_text, text, label, prediction in rows:
            if (task, of_text) not in held_out:
                held_out[task, of_text] = is_held_out(text, seed)
            right[job][held_out[task, of_text]].append(label == prediction)
    return {
        job: Halves(fmean(seen), fmean(unseen), len(unseen)) for job, (seen, unseen) in right.items() if seen and unseen
    }
