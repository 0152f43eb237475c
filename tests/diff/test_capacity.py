"""Capacities of two sweeps are compared as latencies are: against each side's own baseline."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from runner.diff.compare import Diff, diff, exit_code
from runner.diff.html import render_html
from runner.diff.markdown import render_markdown
from runner.diff.terminal import print_diff
from runner.results.collect import collect
from runner.results.tables import Tables
from tests.diff import sweeps
from tests.results.synthetic import Job, write_sweep

BASELINE = Job("torch-eager", 0.1, capacity_per_second=50.0)
INT8 = Job("onnx-int8", 0.036, capacity_per_second=150.0)

Sweep = Callable[..., Tables]


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    def made(jobs: Sequence[Job] = (BASELINE, INT8), noise: float = 0.01) -> Tables:
        folder = tmp_path / str(len([*tmp_path.iterdir()]))
        return collect(write_sweep(folder, jobs, rounds=5, noise=noise))

    return made


def real(found: Diff) -> dict[str, list[str]]:
    return {job.pair.b.row["technique"]: [change.direction for change in job.real] for job in found.real}


def test_two_runs_of_a_sweep_hold_the_same(sweep: Sweep) -> None:
    found = diff(sweep(), sweep(noise=-0.012))
    assert exit_code(found) == 0
    (change,) = [job.change("capacity_ratio") for job in found.compared if job.change("capacity_ratio")]
    assert change is not None
    assert change.ratio == pytest.approx(1, abs=0.05)


def test_a_variant_that_holds_less_is_really_different(sweep: Sweep) -> None:
    found = diff(sweep(), sweep([BASELINE, replace(INT8, capacity_per_second=125.0)], noise=-0.012))
    assert real(found) == {"onnx-int8": ["less-capacity"]}
    assert exit_code(found, "slower") == 1
    assert exit_code(found, "larger") == 0
    text = render_markdown(found, "any")
    assert "Capacity against the baseline ×3.0" in text
    assert "−17" in text or "−16" in text


def test_a_baseline_that_holds_more_is_the_machine_s_shift(sweep: Sweep) -> None:
    faster = [replace(job, capacity_per_second=1.1 * (job.capacity_per_second or 0)) for job in (BASELINE, INT8)]
    found = diff(sweep(), sweep(faster, noise=-0.012))
    assert real(found) == {}
    baseline = next(job.change("capacity") for job in found.compared if job.pair.b.is_baseline)
    assert baseline is not None
    assert baseline.ratio == pytest.approx(1.1, abs=0.03)
    assert "it shows the machine's shift" in baseline.not_evaluated


def test_a_capacity_that_is_gone_is_really_different(sweep: Sweep) -> None:
    found = diff(sweep(), sweep([BASELINE, replace(INT8, capacity_per_second=0.0)], noise=-0.012))
    assert real(found) == {"onnx-int8": ["less-capacity"]}
    text = render_markdown(found, "any")
    assert re.search(r"→ 0 /s.*−1\d\d /s", text)
    assert "no rate keeps the objective" in text
    assert render_html(found, "any")


def test_the_columns_are_there_only_where_a_job_has_a_capacity(sweep: Sweep) -> None:
    def printed(found: Diff) -> str:
        console = Console(width=200, record=True, force_terminal=False)
        print_diff(found, "any", console)
        return console.export_text() + render_markdown(found, "any").partition("## Notes")[0]

    assert "Raw capacity" in printed(diff(sweep(), sweep(noise=-0.012)))
    assert "apacity" not in printed(diff(sweeps.sweep(), sweeps.sweep(seed=1))).replace(
        "latency and capacity", ""
    ).replace("raw capacity", "")
