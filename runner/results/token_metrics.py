"""Metrics of tagged words: F1 of the entities, and intervals with the text as the unit.

The words of a text are not independent of each other: a text about something unusual has many mistakes. So the texts
are the sampling units, and every figure here is a ratio of two sums over them, R = Σ parts ÷ Σ wholes (cluster sampling
with the ratio estimator: W. G. Cochran, "Sampling Techniques", 3rd edition, 1977, chapter 6). For the accuracy, `parts`
is the number of a text's words that are right, and `wholes` the number of its words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from runner.results.non_inferiority import PairedMeans
from runner.results.statistics import wilson_interval

OUTSIDE = "O"  # the tag of a word that belongs to no entity
AROUND = 8  # words that are shown on each side of a word
_OF_ENTITIES = re.compile(r"[BIES]-.+", re.DOTALL)


def by_word(content: Mapping[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    """Return the content of a predictions file of tagged texts with every word as an example, and each word's text.

    Raises:
        ValueError: if a text does not have one label for each word.
    """
    words, tags = content["words"], content["label"]
    if any(own is not None and len(own) != len(text) for text, own in zip(words, tags, strict=True)):
        raise ValueError("words and labels of a text differ in number")
    known = [own or [None] * len(text) for text, own in zip(words, tags, strict=True)]
    flat = {
        "texts": [_in_context(text, place) for text in words for place in range(len(text))],
        "label": [tag for own in known for tag in own],
    }
    return {**content, **flat}, np.repeat(np.arange(len(words)), [len(text) for text in words])


def _in_context(words: Sequence[str], place: int) -> str:
    """Return a word in brackets, among those around it."""
    first, end = max(0, place - AROUND), place + AROUND + 1
    before, after = ["…"] * (first > 0) + [*words[first:place]], [*words[place + 1 : end]] + ["…"] * (end < len(words))
    return " ".join([*before, f"[{words[place]}]", *after])


class Ratio(NamedTuple):
    """What each text adds to the two sums; both [texts]."""

    parts: np.ndarray
    wholes: np.ndarray

    @property
    def value(self) -> float:
        """Return Σ parts ÷ Σ wholes; 0 where there are no wholes."""
        total = float(self.wholes.sum())
        return float(self.parts.sum()) / total if total else 0.0

    @property
    def influence_values(self) -> np.ndarray:
        """Return by how much each text shifts the ratio, to first order, [texts]; they add up to 0."""
        values: np.ndarray = (self.parts - self.value * self.wholes) / max(float(self.wholes.sum()), 1.0)
        return values


def per_text(values: Sequence[bool], of_text: np.ndarray) -> Ratio:
    """Return, for each text, the number of its words whose value is true, and the number of its words.

    Args:
        values: per word.
        of_text: the number of each word's text.
    """
    return Ratio(np.bincount(of_text, weights=values), np.bincount(of_text).astype(float))


def share_interval(share: Ratio) -> tuple[float, float]:
    """Return the 95% interval of a share of the words: Wilson's interval with the effective sample size.

    That is the number of independent words that would scatter as much (C. Franco et al., "Comparative study of
    confidence intervals for proportions in complex sample surveys", J. Surv. Stat. Methodol. 7, 2019). A share of 0 or
    1 shows no scatter; its effective sample size is the number of texts.
    """
    p, words, scatter = share.value, float(share.wholes.sum()), _variance(share.influence_values)
    n = min(words, p * (1 - p) / scatter) if scatter else words
    n = n if 0 < p < 1 else float(len(share.parts))
    return wilson_interval(p * n, n)


def difference(before: Ratio, after: Ratio) -> PairedMeans | None:
    """Return after − before, both of the same texts: Student's t over the influence values of the difference.

    The result is None for a single text, which shows no scatter.
    """
    texts = len(after.parts)
    if texts < 2:
        return None
    variance = texts * _variance(after.influence_values - before.influence_values)
    return PairedMeans(after.value - before.value, math.sqrt(variance), texts)


def tells_entities(names: Iterable[str]) -> bool:
    """Return whether all tags are tags of entities: O, or such as B-PER and I-PER."""
    return all(name == OUTSIDE or _OF_ENTITIES.fullmatch(name) for name in names)


def entity_f1(labels: Sequence[object], predictions: Sequence[object], of_text: np.ndarray) -> Ratio:
    """Return 2·TP and TP + FP + TP + FN of each text's entities; their ratio is F1 over all types (micro).

    seqeval counts so by default (H. Nakayama, https://github.com/chakki-works/seqeval, 2018), as conlleval before it.
    An entity is right if its type, first word and last word are. A word without a prediction is outside.

    Args:
        labels, predictions: per word, text after text.
        of_text: the number of each word's text.
    """
    parts, wholes = np.zeros((2, of_text[-1] + 1))
    bounds = np.searchsorted(of_text, np.arange(len(parts) + 1))
    for number, (start, end) in enumerate(pairwise(bounds)):
        true, found = (entities([str(tag or OUTSIDE) for tag in side[start:end]]) for side in (labels, predictions))
        parts[number], wholes[number] = 2 * len(true & found), len(true) + len(found)
    return Ratio(parts, wholes)


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Return the type of each entity, the place of its first word, and the place after its last word.

    A tag continues the entity before it if it is I- or E- of the same type, and if no E- or S- ended that entity.
    """
    found, first, before = set(), 0, ("", "")
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, kind = tag.partition("-")
        goes_on = prefix in ("I", "E") and before[0] in ("B", "I") and before[1] == kind
        if before[1] and not goes_on:
            found.add((before[1], first, place))
        first = first if goes_on else place
        before = (prefix, kind)
    return found


def _variance(influence_values: np.ndarray) -> float:
    """Return the variance of a ratio, or of a difference of two ratios, from its influence values."""
    texts = len(influence_values)
    return texts / (texts - 1) * float((influence_values**2).sum()) if texts > 1 else 0.0
