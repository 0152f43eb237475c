"""Compare a job's predictions with those of transformers before the job is measured."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runner.results.records.prepared import Control
from runner.sweep.control.compare import compare
from runner.tasks.texts import Example


class WrongError(Exception):
    """The predictions are not those of the model.

    Args:
        error: the difference in one line.
        log: the first texts that differ, in full. It becomes an attribute.
    """

    def __init__(self, error: str, log: str) -> None:
        super().__init__(error)
        self.log = log


def check(
    reference: Path,
    logits: Sequence[Sequence[float]] | np.ndarray,
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
        of: "job" if the logits are the job's, or "model" if they are those of the model from which it was made.

    Raises:
        WrongError: if the logits differ by more than rounding explains.
    """
    record = json.loads((reference / "reference.json").read_text(encoding="utf-8"))
    if reason := record.get("reason"):
        return Control(of, reason=reason)
    compared = compare(record, logits, names, examples, kind, noted)
    if compared.differences:
        subject = "" if of == "job" else "the model from which it was made, without the technique: "
        raise WrongError(subject + compared.error, subject + compared.log)
    return Control(of, compared.texts, compared.largest)
