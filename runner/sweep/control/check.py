"""Check a job's predictions against transformers' own, before anything of it is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.sweep.control.compare import compare
from runner.tasks.texts import Example


class WrongError(Exception):
    """Predictions are not the model's own. `log` shows the first texts in full."""

    def __init__(self, error: str, log: str) -> None:
        super().__init__(error)
        self.log = log


@dataclass(frozen=True)
class Control:
    """How a job's predictions compare with transformers' own: they are equal, or could not be compared.

    Attributes:
        of: "job" if its own predictions were compared; "model" if it is meant to predict otherwise than its model, and
            the model was compared as the engine torch runs it.
        texts: how many were compared.
        largest_difference: of a logit.
        reason: why transformers could not make any predictions; None if it could.
    """

    of: str
    texts: int = 0
    largest_difference: float | None = None
    reason: str | None = None


def check(
    reference: Path,
    logits: Sequence[Sequence[float]],
    names: Sequence[str],
    examples: Sequence[Example],
    kind: str,
    of: str,
    noted: Mapping[str, Mapping[str, Any]] | None = None,
) -> Control:
    """Compare logits with a reference.

    Args:
        reference: the folder that runner/sweep/control/reference.py filled.
        logits, names, examples, kind, noted: see `runner.sweep.control.compare.compare`.
        of: whose logits they are; see `Control.of`.

    Raises:
        WrongError: if they differ by more than rounding explains.
    """
    told = json.loads((reference / "reference.json").read_text(encoding="utf-8"))
    if reason := told.get("reason"):
        return Control(of, reason=reason)
    compared = compare(told, logits, names, examples, kind, noted)
    if compared.differences:
        whose = "" if of == "job" else "the model that it was made from, run by the engine torch: "
        raise WrongError(whose + compared.error, whose + compared.log)
    return Control(of, compared.texts, compared.largest)
