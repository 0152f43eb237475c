"""Compare a job's predictions with those of transformers itself, before the job is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.sweep.control.compare import compare
from runner.tasks.texts import Example


class WrongError(Exception):
    """The predictions are not those of the model. `log` shows the first texts in full."""

    def __init__(self, error: str, log: str) -> None:
        super().__init__(error)
        self.log = log


@dataclass(frozen=True)
class Control:
    """The result of a control that did not fail: the predictions agree, or could not be compared.

    Attributes:
        of: "job" if the job's own predictions were compared. "model" if the job is meant to predict differently from
            its model; then the model was compared, run by the engine torch.
        texts: the number of texts that were compared.
        largest_difference: the largest difference of a logit.
        reason: why transformers could not predict; None if it could.
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
        reference: the folder that runner/sweep/control/reference.py has filled.
        logits, names, examples, kind, noted: see `runner.sweep.control.compare.compare`.
        of: see `Control.of`.

    Raises:
        WrongError: if the logits differ by more than rounding explains.
    """
    told = json.loads((reference / "reference.json").read_text(encoding="utf-8"))
    if reason := told.get("reason"):
        return Control(of, reason=reason)
    compared = compare(told, logits, names, examples, kind, noted)
    if compared.differences:
        whose = "" if of == "job" else "the model that it was made from, run by the engine torch: "
        raise WrongError(whose + compared.error, whose + compared.log)
    return Control(of, compared.texts, compared.largest)
