"""The record of preparing a job: `prepared.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runner.models.flops import CallFlops
from runner.results.records.job import ArtifactFacts, ArtifactSize, Precision


@dataclass(frozen=True)
class Control:
    """How a job's predictions compare with those of transformers: they are equal, or could not be compared.

    Attributes:
        of: "job" if its own predictions were compared; "model" if the job is meant to predict something else than its
            model, so that the model itself was compared.
        texts: how many texts were compared.
        largest_difference: the largest difference of a logit.
        reason: why transformers could not make predictions; None if it could.
    """

    of: str
    texts: int = 0
    largest_difference: float | None = None
    reason: str | None = None


@dataclass
class PreparedJob(ArtifactFacts, ArtifactSize, Precision):
    """The result of preparing a job and, if the status is ok, what its boxes are given.

    Attributes:
        status: whether the job can be measured.
        error, log: why not, in one line; the path of a log within the sweep.
        engine, artifact_path, inputs_path: what a box runs.
        plugin_module, plugin_path: for the user's own engine: the module that a box imports, and its path.
        useful_flops, padded_flops: FLOPs of a mean call, without and with padding; None if they cannot be counted.
        control: how the predictions compare with those of transformers; None if that was switched off.
    """

    status: Literal["ok", "wrong", "prepare-failed"]
    error: str | None = None
    log: str | None = None
    engine: str = ""
    artifact_path: str = ""
    inputs_path: str = ""
    plugin_module: str | None = None
    plugin_path: str | None = None
    useful_flops: float | None = None
    padded_flops: float | None = None
    control: Control | None = None

    @property
    def flops(self) -> CallFlops | None:
        """Return the FLOPs of a mean call."""
        if self.useful_flops is None or self.padded_flops is None:
            return None
        return CallFlops(self.useful_flops, self.padded_flops)
