"""Metrics of tagged words: F1 of the entities, and intervals that take the text as the unit.

The words of a text are not independent of each other: a text about something unusual has many mistakes. So
texts are what is drawn from a population, and every figure here is a ratio of two sums over them (cluster sampling with
the ratio estimator: W. G. Cochran, "Sampling Techniques", 3rd edition, 1977, chapter 6). Each text has `parts` and
`wholes`, such as the number of its correct words and the number of its words: R = Σ parts ÷ Σ wholes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from runner.results.statistics import ALPHA, wilson_interval

OUTSIDE = "O"  # the tag of a word that belongs to no entity
AROUND = 8  # how many words are shown on each side of a word
_OF_ENTITIES = re.compile(r"[BIES]-.+", re.DOTALL)


def by_word(content: Mapping[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
    """Return the content of a predictions file with each tagged word as an example, and the number of each word's text.

    Raises:
        ValueError: if a text does not have one label for each word.
    """
    words, tags = content["words"], content["label"]
    if any(given is not None and len(given) != len(text) for text, given in zip(words, tags, strict=True)):
        raise ValueError("words and labels of a text differ in number")
    known = [given or [None] * len(text) for text, given in zip(words, tags, strict=True)]
    flat = {
        "texts": [_in_context(text, place) for text in words for place in range(len(text))],
        "label": [tag for given in known for tag in given],
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
        """Return how far each text moves the ratio, to first order, [texts]; they add up to 0."""
        values: np.ndarray = (self.parts - self.value * self.wholes) / max(float(self.wholes.sum()), 1.0)
        return values


class TextDifference(NamedTuple):
    """A ratio less another one on the same texts, with its 95% interval and p-value; None for a single text."""

    value: float
    low: float | None
    high: float | None
    p_value: float | None


def per_text(values: Sequence[bool], of_text: np.ndarray) -> Ratio:
    """Return for how many of its words something is true, and how many words it has, for each text.

    Args:
        values: whether it is true, for each word.
        of_text: the number of each word's text.
    """
    return Ratio(np.bincount(of_text, weights=values), np.bincount(of_text).astype(float))


def share_interval(share: Ratio) -> tuple[float, float]:
    """Return the 95% interval of a share of the words: Wilson's, for the effective number of words.

    That is how many independent words would scatter as much (effective sample size: C. Franco et al., "Comparative
    study of confidence intervals for proportions in complex sample surveys", J. Surv. Stat. Methodol. 7, 2019). Where
    all words are alike, it is not known, and the number of texts is taken.
    """
    p, words, scatter = share.value, float(share.wholes.sum()), _variance(share.influence_values)
    n = min(words, p * (1 - p) / scatter) if scatter else words
    n = n if 0 < p < 1 else float(len(share.parts))
    return wilson_interval(p * n, n)


def difference(before: Ratio, after: Ratio) -> TextDifference:
    """Return after − before on the same texts, with Student's t on the differences of the influence values."""
    value, texts = after.value - before.value, len(after.parts)
    if texts < 2:
        return TextDifference(value, None, None, None)
    error = math.sqrt(_variance(after.influence_values - before.influence_values))
    half = float(stdtrit(texts - 1, 1 - ALPHA / 2)) * error
    certain = 1.0 if value == 0 else 0.0  # every text differs alike
    p_value = 2 * float(stdtr(texts - 1, -abs(value) / error)) if error > 0 else certain
    return TextDifference(value, value - half, value + half, p_value)


def tells_entities(names: Iterable[str]) -> bool:
    """Return whether tags name entities: O, and others such as B-PER and I-PER."""
    return all(name == OUTSIDE or _OF_ENTITIES.fullmatch(name) for name in names)


def entity_f1(labels: Sequence[object], predictions: Sequence[object], of_text: np.ndarray) -> Ratio:
    """Return 2·TP and TP + FP + TP + FN of the entities in each text; their ratio is F1 over all types (micro).

    This is how seqeval counts by default (H. Nakayama, https://github.com/chakki-works/seqeval, 2018), and conlleval
    before it: an entity is correct if its type, its first and its last word are. A word without a prediction is
    outside.

    Args:
        labels, predictions: per word, text after text.
        of_text: the number of each word's text.
    """
    parts, wholes = np.zeros((2, of_text[-1] + 1))
    bounds = np.searchsorted(of_text, np.arange(len(parts) + 1))
    for number, (start, end) in enumerate(pairwise(bounds)):
        true, predicted = (entities([str(tag or OUTSIDE) for tag in side[start:end]]) for side in (labels, predictions))
        parts[number], wholes[number] = 2 * len(true & predicted), len(true) + len(predicted)
    return Ratio(parts, wholes)


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Return the type of each entity, the place of its first word, and the place after its last word.

    A tag continues the entity before it if it is I- or E- of the same type, unless E- or S- ended that entity.
    """
    spans, first, before = set(), 0, ("", "")
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, kind = tag.partition("-")
        continues = prefix in ("I", "E") and before[0] in ("B", "I") and before[1] == kind
        if before[1] and not continues:
            spans.add((before[1], first, place))
        first = first if continues else place
        before = (prefix, kind)
    return spans


def _variance(influence_values: np.ndarray) -> float:
    """Return the variance of a ratio, or of a difference of two ratios."""
    texts = len(influence_values)
    return texts / (texts - 1) * float((influence_values**2).sum()) if texts > 1 else 0.0
