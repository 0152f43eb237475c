"""Compare a job's logits with those of transformers. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.config.task_kinds import LABELLED, MULTI_LABEL, TOKENS, joined
from runner.results.format import pluralize
from runner.tasks.texts import Example
from runner.techniques.importing.labels import ORDER

#: The allowed difference, as a share of the largest logit. Two float32 computations differ by about 1e-6 of it, and
#: float16 weights make a difference of about 1e-3.
TOLERANCE = 1e-4
_MIN_ALLOWED = 1e-6  # the least allowed difference of a logit, which counts if all logits are near 0
_SHOWN_TEXTS = 10  # the number of texts in a log
_SHOWN_CHARACTERS = 60  # the number of characters of a text in one line
_NO_LABEL = "no label"  # the label for a row of logits that are not all finite
_NUMBER = re.compile(r"(?:label_)?([+-]?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Difference:
    """A text, or a word of a text, whose logits differ from those of transformers.

    Attributes:
        text: the text, or the word and its text.
        size: the largest difference of a logit. It is infinite if a logit is not a number.
        here, there: the labels predicted here and by transformers. Both are empty for vectors.
        logits: for each output, by name, the logit here and the logit of transformers.
    """

    text: str
    size: float
    here: str
    there: str
    logits: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Compared:
    """The comparison of a job's logits with those of transformers.

    Attributes:
        texts: the number of texts that were compared.
        largest: the largest difference of a logit.
        allowed: the largest difference that rounding may cause.
        differences: for each text that differs by more, its first difference.
    """

    texts: int
    largest: float
    allowed: float
    differences: list[Difference]

    @property
    def error(self) -> str:
        """Return one line that says how far the predictions differ, and where the first difference is."""
        relabelled = [difference for difference in self.differences if difference.here != difference.there]
        first = (relabelled or self.differences)[0]
        text = " ".join(first.text.split())
        text = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
        example = f"'{text}' is {first.here} here and {first.there} there" if relabelled else f"'{text}'"
        not_finite = "; transformers itself gives logits that are not finite there" if first.there == _NO_LABEL else ""
        return (
            f"predictions differ from transformers' own on {len(self.differences)} of {pluralize(self.texts, 'text')}, "
            f"{len(relabelled)} of them with another label; the largest logit difference is {self.largest:.2g}; "
            f"first: {example}{not_finite}"
        )

    @property
    def log(self) -> str:
        """Return the first texts that differ, in full and with their logits."""
        lines = [self.error, f"Rounding would explain differences up to {self.allowed:.2g}.", ""]
        for shown in sorted(self.differences, key=_has_same_label)[:_SHOWN_TEXTS]:
            lines += [shown.text, f"  here: {shown.here or 'a vector'}; transformers: {shown.there or 'a vector'}"]
            lines += [f"  {name}: {here:.6g} here, {there:.6g} there" for name, (here, there) in shown.logits.items()]
        if len(self.differences) > _SHOWN_TEXTS:
            lines.append(f"and {len(self.differences) - _SHOWN_TEXTS} more")
        return "\n".join(lines) + "\n"


def compare(
    reference: dict[str, Any],
    logits: Sequence[Sequence[float]] | np.ndarray,
    names: Sequence[str],
    examples: Sequence[Example],
    kind: str,
    noted: Mapping[str, Mapping[str, Any]] | None = None,
) -> Compared:
    """Compare the logits of the reference's texts. Outputs are matched by name.

    Args:
        reference: what runner/sweep/control/reference.py wrote, with logits.
        logits: the job's logits of all examples, or of all their words.
        names: the names of the job's outputs, in order. Vectors have none.
        examples: all test texts, and then all documents.
        kind: the kind of the task; see `runner.config.task_kinds`.
        noted: see `outputs_of`.
    """
    starts = _starts(examples)
    outputs = outputs_of(names, reference["names"], noted)
    known = [abs(value) for rows in reference["logits"] for row in rows for value in row if math.isfinite(value)]
    allowed = max(_MIN_ALLOWED, TOLERANCE * max(known, default=0.0))
    largest, differences = 0.0, []
    for number, rows in zip(reference["texts"], reference["logits"], strict=True):
        job_rows = [[float(value) for value in row] for row in logits[starts[number] : starts[number + 1]]]
        text_differences = []
        for word, (here, there) in enumerate(zip(job_rows, rows, strict=True)):
            ordered = [there[output] for output in outputs] if outputs else there
            size = _difference(here, ordered, kind)
            largest = max(largest, size)
            if not size <= allowed:
                text = _text(examples[number], word)
                by_name = dict(zip(names, zip(here, ordered, strict=False), strict=False))
                label, other = _predicted(here, names, kind), _predicted(ordered, names, kind)
                text_differences.append(Difference(text, size, label, other, by_name))
        differences += sorted(text_differences, key=_has_same_label)[:1]
    return Compared(len(reference["texts"]), largest, allowed, differences)


def _has_same_label(difference: Difference) -> bool:
    return difference.here == difference.there


def outputs_of(
    names: Sequence[str], model_names: Sequence[str], noted: Mapping[str, Mapping[str, Any]] | None = None
) -> list[int]:
    """Return the model's own output that each of the job's outputs must equal.

    Outputs are matched by name, if each name matches exactly one of the model's names: first as written, then without
    regard to case, then as a number (LABEL_3 is the number 3). A mapping that the user stated comes before names. If
    names do not decide, the mapping that the import noted is used. Without such a note, the order is used.

    Args:
        names: the names of the job's outputs, in order.
        model_names: the names of the model's outputs, in order.
        noted: by name, the output that the import took and the rule that it followed; see
            `runner.techniques.importing.labels`.
    """
    if len(names) != len(model_names):
        return list(range(len(model_names)))  # another number of outputs is a difference in itself
    notes = [(noted or {}).get(name, {"output": place}) for place, name in enumerate(names)]
    matched = [_output_of(name, model_names, note) for name, note in zip(names, notes, strict=True)]
    return matched if len(set(matched)) == len(matched) else [int(note["output"]) for note in notes]


def _output_of(name: str, model_names: Sequence[str], noted: Mapping[str, Any]) -> int:
    if noted.get("by") != ORDER:
        for normalize in _NORMALIZATIONS:
            key = normalize(name)
            places = [place for place, other in enumerate(model_names) if key is not None and normalize(other) == key]
            if len(places) == 1:
                return places[0]
    return int(noted["output"])


def _number(name: str) -> float | None:
    match = _NUMBER.fullmatch(name.strip().casefold())
    return float(match[1]) if match else None


_NORMALIZATIONS: tuple[Callable[[str], str | float | None], ...] = (str, str.casefold, _number)


def _starts(examples: Sequence[Example]) -> list[int]:
    """Return the first row of each example, and the end of the last example's rows."""
    starts = [0]
    for example in examples:
        starts.append(starts[-1] + (len(example.words) if example.words else 1))
    return starts


def _text(example: Example, word: int) -> str:
    """Return the text that a row of logits belongs to, or the word and its text."""
    return f"{example.words[word]} (in: {example.whole})" if example.words else example.whole


def _predicted(row: Sequence[float], names: Sequence[str], kind: str) -> str:
    """Return the label that a row of logits predicts. A vector predicts none."""
    if kind not in LABELLED or len(row) != len(names):
        return ""
    if not all(map(math.isfinite, row)):
        return _NO_LABEL
    if kind == MULTI_LABEL:
        return joined([name for name, value in zip(names, row, strict=True) if value > 0])
    return names[max(range(len(row)), key=row.__getitem__)]


def _difference(here: Sequence[float], there: Sequence[float], kind: str) -> float:
    """Return the largest difference. It is infinite if a logit is not a number, on one side or on both.

    In a task of kind tokens, the whole row of a word without a prediction is NaN on both sides, and does not differ.
    """
    if len(here) != len(there):
        return math.inf
    if kind == TOKENS and all(map(math.isnan, (*here, *there))):
        return 0.0
    sizes = (abs(a - b) for a, b in zip(here, there, strict=True))
    return max((math.inf if math.isnan(size) else size for size in sizes), default=0.0)
