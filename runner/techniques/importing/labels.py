"""Match the labels of a task with the outputs of a model's head: by name, and never by a guess."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.errors import UserError

_LISTED = 20  # labels named in a message
_NUMBER = re.compile(r"[+-]?\d{1,18}(\.\d{0,18})?")
_GENERIC = re.compile(r"label (\d{1,9})")  # as `_spelled` writes the names that transformers makes up
_TRUTH = {"false": "0", "true": "1"}

NAME, SPELLING, NUMBER, ORDER = "name", "spelling", "number", "stated order"


@dataclass(frozen=True)
class LabelMatch:
    """Which output of a model's head is which label of a task.

    Attributes:
        labels: the task's, in its order.
        outputs: for each of them, the place of its output in the head.
        rules: for each of them, how it was found: "name", "spelling", "number" or "stated order".
        names: what the model calls all of its outputs, in their order.
    """

    labels: Sequence[str]
    outputs: Sequence[int]
    rules: Sequence[str]
    names: Sequence[str]

    @property
    def order(self) -> list[int]:
        """The places of all outputs: first those of the task's labels, in the task's order, then the others."""
        return [*self.outputs, *(place for place in range(len(self.names)) if place not in self.outputs)]

    @property
    def others(self) -> list[str]:
        """The names of the outputs for which the task has no label."""
        return [self.names[place] for place in self.order[len(self.labels) :]]

    @property
    def all_names(self) -> list[str]:
        """The names of all outputs in the order of `order`; the task's own spelling where the task has the label."""
        return [*self.labels, *self.others]

    def notes(self) -> dict[str, Any]:
        """Return what the lineage keeps: for each label of the task its output, the output's name, and the rule."""
        matched = zip(self.labels, self.outputs, self.rules, strict=True)
        return {label: {"output": place, "name": self.names[place], "by": rule} for label, place, rule in matched}

    def remarks(self) -> list[str]:
        """Return what a person should know, a sentence each; nothing where every label is an output's exact name."""
        said = []
        if set(self.rules) - {NAME}:
            pairs = [f"{label} ← {self.names[place]}" for label, place in zip(self.labels, self.outputs, strict=True)]
            rules = " and ".join(dict.fromkeys(self.rules))
            said.append(f"the task's labels are matched with the model's outputs by {rules}: {listed(pairs)}.")
        if self.labels and self.others:
            said.append(
                f"the model also predicts {listed(self.others)}, which the task lacks: such a prediction counts as "
                "wrong."
            )
        return said


def match_labels(labels: Sequence[str], names: Sequence[str], stated: bool, where: str) -> LabelMatch:
    """Match each label of a task with one output of a model.

    An exact name comes first. Generic names (LABEL_0, LABEL_1 …) say nothing: they are taken in the order of the
    task's labels where somebody stated that order for all outputs, and otherwise match numbers only. Another spelling
    counts (case, spaces, 1.0 for 1, true for 1) where one output alone has it.

    Args:
        labels: the task's; none if it has none, which fits any model.
        names: of the model's outputs, in their order, all different.
        stated: whether the order of the labels was stated, and is not just alphabetical.
        where: names the model in errors.

    Raises:
        UserError: if the model lacks a label, two share an output, or the match would be a guess.
    """
    generic = all(_meaning(name) == str(place) and _is_generic(name) for place, name in enumerate(names))
    if labels and generic and stated and len(labels) == len(names) and set(labels) != set(names):
        return LabelMatch(labels, range(len(names)), [ORDER] * len(names), names)
    found = [_find(label, names, where) for label in labels]
    lacking = [label for label, one in zip(labels, found, strict=True) if one is None]
    if lacking and generic:
        raise UserError(_unknown_order(labels, names, where))
    if lacking:
        raise UserError(
            f"{where}: the model's labels are {listed(names)}, but the task's are {listed(labels)}: the model has no "
            f"output for {listed(lacking)}. Rename the outputs in id2label of its config.json, take another task, or "
            "train a new head: model.steps=[{step: import-checkpoint, head: new}, {step: fine-tune}]."
        )
    known = [one for one in found if one is not None]
    match = LabelMatch(labels, [place for place, _ in known], [rule for _, rule in known], names)
    _check_apart(match, where)
    return match


def listed(names: Sequence[str]) -> str:
    """Return names with commas between them, the first of them only if there are many."""
    more = f" … ({len(names)} in all)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _find(label: str, names: Sequence[str], where: str) -> tuple[int, str] | None:
    """Return the output that has this label, and by which rule; None if no output has it."""
    for rule, form in _FORMS:
        found = [place for place, name in enumerate(names) if form(name) == form(label)]
        if len(found) > 1:
            raise UserError(
                f"{where}: the task's label '{label}' may be any of the model's "
                f"{listed([repr(names[place]) for place in found])}. Write it in the task as the model does, or rename "
                "the outputs in id2label of config.json."
            )
        if found:
            return found[0], rule
    return None


def _check_apart(match: LabelMatch, where: str) -> None:
    """Check that no two labels of the task are the same output."""
    first: dict[int, str] = {}
    for label, place in zip(match.labels, match.outputs, strict=True):
        if place in first:
            raise UserError(
                f"{where}: the task's labels '{first[place]}' and '{label}' are both the model's "
                f"'{match.names[place]}'. Write the label in one way throughout the task's file."
            )
        first[place] = label


def _unknown_order(labels: Sequence[str], names: Sequence[str], where: str) -> str:
    return (
        f"{where}: the model's labels are {listed(names)}, which say nothing, but the task's are {listed(labels)}. "
        f"Which output is which label would be a guess. Name the outputs in id2label of the model's config.json, or "
        f"state all {len(names)} labels in the order of the outputs: 'task.labels=[LABEL OF OUTPUT 0, OF OUTPUT 1, …]'."
    )


def _spelled(name: str) -> str:
    """Return a name without what people write now so, now so: case, spaces, the form of a number."""
    text = unicodedata.normalize("NFC", name).strip()
    if _NUMBER.fullmatch(text):
        return format(Decimal(text).normalize() + 0, "f")
    return " ".join(text.casefold().replace("_", " ").replace("-", " ").split())


def _meaning(name: str) -> str:
    """Return the number that a name stands for: true is 1, LABEL_2 is 2; else the name's plain spelling."""
    plain = _spelled(name)
    generic = _GENERIC.fullmatch(plain)
    return str(int(generic[1])) if generic else _TRUTH.get(plain, plain)


def _is_generic(name: str) -> bool:
    return _GENERIC.fullmatch(_spelled(name)) is not None


_FORMS: tuple[tuple[str, Callable[[str], str]], ...] = ((NAME, str), (SPELLING, _spelled), (NUMBER, _meaning))
