"""Match the labels of a task with the outputs of a model's head by their names, and never guess."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from runner.errors import UserError
from runner.tasks.texts import NUMBER_PATTERN

_LISTED = 20  # the number of labels that a message names
_GENERIC = re.compile(r"label (\d{1,9})")  # how `_normalize` writes the default names of transformers
_TRUTH = {"false": "0", "true": "1"}

NAME, SPELLING, NUMBER, ORDER = "name", "spelling", "number", "stated order"


@dataclass(frozen=True)
class LabelMatch:
    """Which output of a model's head is which label of a task.

    Attributes:
        labels: the task's labels, in its order.
        outputs: the place of each label's output in the head.
        rules: the rule that matched each label: "name", "spelling", "number" or "stated order".
        names: the names of all outputs of the model, in their order.
    """

    labels: Sequence[str]
    outputs: Sequence[int]
    rules: Sequence[str]
    names: Sequence[str]

    @property
    def order(self) -> list[int]:
        """The places of all outputs: the task's labels come first, in the task's order, then the other outputs."""
        return [*self.outputs, *(place for place in range(len(self.names)) if place not in self.outputs)]

    @property
    def others(self) -> list[str]:
        """The names of the outputs for which the task has no label."""
        return [self.names[place] for place in self.order[len(self.labels) :]]

    @property
    def all_names(self) -> list[str]:
        """The names of all outputs in the order of `order`, spelled as in the task where the task has the label."""
        return [*self.labels, *self.others]

    def notes(self) -> dict[str, Any]:
        """Return a note for the lineage: each label's output, the output's name, and the rule that matched them."""
        matched = zip(self.labels, self.outputs, self.rules, strict=True)
        return {label: {"output": place, "name": self.names[place], "by": rule} for label, place, rule in matched}

    def remarks(self) -> list[str]:
        """Return remarks for the user, one sentence each. There are none if every label is an output's exact name."""
        remarks = []
        if set(self.rules) - {NAME}:
            pairs = [f"{label} ← {self.names[place]}" for label, place in zip(self.labels, self.outputs, strict=True)]
            rules = " and ".join(dict.fromkeys(self.rules))
            remarks.append(f"the task's labels are matched with the model's outputs by {rules}: {listed(pairs)}.")
        if self.labels and self.others:
            remarks.append(
                f"the model also predicts {listed(self.others)}, which the task lacks: such a prediction counts as "
                "wrong."
            )
        return remarks


def match_labels(labels: Sequence[str], names: Sequence[str], stated: bool, where: str) -> LabelMatch:
    """Match each label of a task with one output of a model.

    An exact name is tried first. Then another spelling matches (case, spaces, 1.0 for 1, true for 1) if only one output
    has it. Generic names (LABEL_0, LABEL_1 …) say nothing about the labels. If the user stated the order of the labels
    for all outputs, generic names follow that order; otherwise they match only numbers. Labels that are the outputs'
    numbers follow a stated order, too, if they match no names.

    Args:
        labels: the task's labels; a task without labels fits any model.
        names: the different names of the model's outputs, in their order.
        stated: whether the user stated the order of the labels, so that it is not just alphabetical.
        where: the model's name in errors.

    Raises:
        UserError: if the model lacks a label, if two labels share an output, or if the match would be a guess.
    """
    generic = all(_meaning(name) == str(place) and _is_generic(name) for place, name in enumerate(names))
    if labels and generic and stated and len(labels) == len(names) and set(labels) != set(names):
        return LabelMatch(labels, range(len(names)), [ORDER] * len(names), names)
    outputs = [_find(label, names, where) for label in labels]
    lacking = [label for label, output in zip(labels, outputs, strict=True) if output is None]
    if lacking and stated and set(labels) == {str(place) for place in range(len(names))}:
        return LabelMatch(labels, range(len(names)), [ORDER] * len(names), names)
    if lacking and generic:
        raise UserError(_unknown_order(labels, names, where))
    if lacking:
        raise UserError(
            f"{where}: the model's labels are {listed(names)}, but the task's are {listed(labels)}: the model has no "
            f"output for {listed(lacking)}. Rename the outputs in id2label of its config.json, take another task, or "
            "train a new head: model.steps=[{step: import-checkpoint, head: new}, {step: fine-tune}]."
        )
    known = [output for output in outputs if output is not None]
    match = LabelMatch(labels, [place for place, _ in known], [rule for _, rule in known], names)
    _check_apart(match, where)
    return match


def listed(names: Sequence[str]) -> str:
    """Return names with commas between them; of many names, only the first ones."""
    more = f" … ({len(names)} in all)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _find(label: str, names: Sequence[str], where: str) -> tuple[int, str] | None:
    """Return the output that has this label, and the rule that matched them; None if no output has it."""
    for rule, form in _FORMS:
        places = [place for place, name in enumerate(names) if form(name) == form(label)]
        if len(places) > 1:
            raise UserError(
                f"{where}: the task's label '{label}' may be any of the model's "
                f"{listed([repr(names[place]) for place in places])}. Write it in the task as the model does, or "
                "rename the outputs in id2label of config.json."
            )
        if places:
            return places[0], rule
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
        f"{where}: the model's labels are {listed(names)}, which have no meaning, but the task's are {listed(labels)}. "
        f"To match them would be a guess. Name the outputs in id2label of the model's config.json, or state all "
        f"{len(names)} labels in the order of the outputs: 'task.labels=[LABEL OF OUTPUT 0, LABEL OF OUTPUT 1, …]'."
    )


def _normalize(name: str) -> str:
    """Return a name without differences in case, spaces or the form of a number."""
    text = unicodedata.normalize("NFC", name).strip()
    if NUMBER_PATTERN.fullmatch(text):
        return format(Decimal(text).normalize() + 0, "f")
    return " ".join(text.casefold().replace("_", " ").replace("-", " ").split())


def _meaning(name: str) -> str:
    """Return the number for which a name stands (1 for true, 2 for LABEL_2), or else the normalized name."""
    plain = _normalize(name)
    generic = _GENERIC.fullmatch(plain)
    return str(int(generic[1])) if generic else _TRUTH.get(plain, plain)


def _is_generic(name: str) -> bool:
    return _GENERIC.fullmatch(_normalize(name)) is not None


_FORMS: tuple[tuple[str, Callable[[str], str]], ...] = ((NAME, str), (SPELLING, _normalize), (NUMBER, _meaning))
