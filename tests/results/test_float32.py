"""Each job is compared with the fastest that computes the same predictions in float32, round by round."""

from __future__ import annotations

from typing import Any

import pytest

from runner.results.float32 import against_float32
from runner.results.records.summary import JobSummary


def _job(key: str, ratio: float | None, changed: int | None = 0, **other: Any) -> JobSummary:
    return JobSummary(job=key, baseline_job="eager", latency_ratio=ratio, changed_predictions=changed, **other)


def _trials(*ratios: float, precision: str = "float32") -> list[dict[str, Any]]:
    fixed = {"status": "ok", "included": True, "precision": precision}
    return [{"round": number, "latency_ratio": ratio, **fixed} for number, ratio in enumerate(ratios)]


EAGER, ONNX, INT8 = _job("eager", 1.0, None), _job("onnx", 0.5), _job("int8", 0.25, 7)
TRIALS = {
    "eager": _trials(1.1, 0.9, 1.0),
    "onnx": _trials(0.4, 0.5, 0.625),
    "int8": _trials(0.2, 0.25, 0.3125, precision="int8"),
}


def test_what_both_share_with_the_baseline_cancels_in_each_round() -> None:
    found = against_float32([EAGER, ONNX, INT8], TRIALS)
    assert {one.float32_job for one in found.values()} == {"onnx"}
    assert found["int8"].float32_ratio == 0.5
    assert (found["int8"].float32_ratio_low, found["int8"].float32_ratio_high) == pytest.approx((0.5, 0.5))
    assert (found["onnx"].float32_ratio, found["onnx"].float32_ratio_low) == (1.0, None)
    assert found["eager"].float32_ratio == 2.0


@pytest.mark.parametrize(
    ("other", "precision"),
    [
        (_job("other", 0.1, 3), "float32"),  # it predicts something else
        (_job("other", 0.1, None), "float32"),  # nobody knows what it predicts
        (_job("other", 0.1, None, cosine_least=0.99), "float32"),
        (_job("other", 0.1), "bfloat16"),
        (_job("other", None), "float32"),
    ],
)
def test_only_exact_jobs_in_float32_are_compared_with(other: JobSummary, precision: str) -> None:
    trials = {**TRIALS, "other": _trials(0.1, 0.1, 0.1, precision=precision)}
    assert against_float32([EAGER, ONNX, other], trials)["onnx"].float32_job == "onnx"


def test_vectors_that_differ_by_rounding_alone_are_the_same() -> None:
    same = _job("same", 0.1, None, cosine_least=0.99999)
    trials = {**TRIALS, "same": _trials(0.1, 0.1, 0.1)}
    assert against_float32([EAGER, ONNX, same], trials)["onnx"].float32_job == "same"


def test_without_a_job_in_float32_nothing_is_said() -> None:
    assert against_float32([INT8], TRIALS) == {}
