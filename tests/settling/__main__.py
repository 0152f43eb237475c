"""python -m tests.settling SWEEP: what taking turns does to each engine's calls.

For each technique of a finished sweep, a process makes calls undisturbed, and in turns with another process that runs
the sweep's baseline, alternately. It prints the ratio of the two latencies with its 95% interval over the processes,
and how long the threads took to go idle. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from runner.isolation.box import BoxOrder
from runner.isolation.process import ProcessBox
from runner.machine.topology import choose_cpus
from runner.results.records.plan import read_plan
from runner.results.records.prepared import PreparedJob
from runner.results.statistics import estimate_ratio
from runner.store.sweep_folder import SweepFolder
from runner.sweep.partner import Partner
from runner.sweep.prepared import read_prepared


def main() -> int:
    """Print a line for each technique."""
    parser = argparse.ArgumentParser("python -m tests.settling")
    parser.add_argument("sweep", type=Path, help="the folder of a sweep")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processes", type=int, default=6, help="how many for each technique")
    parser.add_argument("--turns", type=int, default=40, help="how many of each kind in a process")
    parser.add_argument("--only", default="", help="techniques whose name this pattern (re) finds")
    asked = parser.parse_args()
    sweep = SweepFolder(asked.sweep)
    plan = read_plan(sweep)
    jobs = {job.technique: job for job in plan.jobs if job.model == plan.jobs[0].model and not job.measured_as}
    baseline = read_prepared(sweep, next(job.baseline or job.job for job in jobs.values()))
    assert baseline is not None, "the sweep's baseline is not in the store any more"
    print(f"{'technique':24} {'in turns ÷ undisturbed':28} {'settling':>10} {'unsettled':>10}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for technique, job in jobs.items():
            prepared = read_prepared(sweep, job.job) if re.search(asked.only, technique) else None
            if prepared is not None and prepared.status == "ok":
                seen = [_measure(prepared, baseline, asked, Path(folder)) for _ in range(asked.processes)]
                print(f"{technique:24} {_line(seen)}", flush=True)
    return 0


def _line(seen: list[dict[str, Any]]) -> str:
    estimate = estimate_ratio([each["log_ratio"] for each in seen])
    assert estimate is not None
    interval = f"{estimate.ratio:.4f} ({estimate.low:.4f} to {estimate.high:.4f})" if estimate.low else "one process"
    milliseconds = 1000 * fmean(each["settling_seconds"] for each in seen)
    return f"{interval:28} {milliseconds:7.2f} ms {sum(each['unsettled_turns'] for each in seen):10d}"


def _measure(job: PreparedJob, baseline: PreparedJob, asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Open the partner, and run the other side once."""
    box, partner = ProcessBox(), Partner("settling", ProcessBox(), _order(baseline, asked), folder)
    try:
        output = Path(tempfile.mkdtemp(dir=folder))
        order = _order(job, asked)
        inputs = order.inputs | {"partner": partner.folder}
        ordered = BoxOrder("tests.settling.side", order.request, inputs, output, order.cpus)
        end = box.run(ordered)
        if end.exit_code:
            raise RuntimeError(end.log)
        measured: dict[str, Any] = json.loads((output / "settling.json").read_text())
        return measured
    finally:
        partner.close()


def _order(prepared: PreparedJob, asked: argparse.Namespace) -> BoxOrder:
    request = {
        "engine": prepared.engine,
        "plugin": None,
        "threads": asked.threads,
        "turns": asked.turns,
        "measure": {"batches": 8, "warmup_seconds": 0.5},
    }
    inputs = {"artifact": Path(prepared.artifact_path), "inputs": Path(prepared.inputs_path)}
    return BoxOrder("", request, inputs, Path(), choose_cpus(asked.threads))


if __name__ == "__main__":
    sys.exit(main())
