"""`pinbox load-test`: compare a running service with the capacity that a sweep recorded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from runner.cli.parameters import ConfigNames, sweep_argument
from runner.errors import UserError

_ENOUGH = 0.9  # the share of the recorded capacity that a service must hold


@click.command("load-test")
@sweep_argument
@click.argument(
    "variant",
    type=ConfigNames("technique"),
    help="The job that is served: its key, or its technique, or model/technique, if only one job has it.",
)
@click.argument("url", help="Where the service answers, such as http://127.0.0.1:8000.")
def load_test(sweep: Path, variant: str, url: str) -> int:
    """Find the capacity of a service over HTTP, and compare it.

    `pinbox export --service` writes such a service, which needs its own cores. It gets the texts, the objective and the
    arrivals of the sweep. The exit code is 0 if it holds at least 90% of the recorded capacity, 1 if it holds less, 2
    if its capacity could not be measured.
    """
    if find_spec("mlperf_loadgen") is None:
        raise UserError(
            "load-test needs the package mlcommons-loadgen, and it is not installed. Its wheels are for x86-64 and "
            "Python 3.11 to 3.13."
        )

    from runner.config.job_file import read_job
    from runner.console import say
    from runner.export.variant import find_variant
    from runner.recommend.capacity import measured_capacity
    from runner.results.format import milliseconds, per_second
    from runner.results.json_files import read_record
    from runner.results.records.load import Probe
    from runner.results.records.prepared import PreparedJob
    from runner.results.tables import read_tables
    from runner.store.sweep_folder import SweepFolder
    from runner.sweep.load.http import capacity_over_http
    from runner.trial.encoder import read_texts

    tables, folder = read_tables(sweep), SweepFolder(sweep)
    row = find_variant(tables, variant).row
    ok = [t for t in tables.results.to_pylist() if t["job"] == row["job"] and t["status"] == "ok" and t["included"]]
    recorded = measured_capacity(row, ok)
    if recorded is None or recorded.per_second <= 0:
        raise UserError(f"{row['job']} has no capacity in {sweep}. Run its grid with load=open.")
    cfg = read_job(folder, row["job"])
    texts = Path(read_record(folder.prepared(row["job"]), PreparedJob).inputs_path)
    if not texts.is_dir():
        raise UserError(f"{texts}, which has the texts of {row['job']}, is gone. Run its grid again in {sweep}.")

    def tell(probe: Probe) -> None:
        if probe.asked_per_second is None:
            say(f"All requests at once: {per_second(probe.completed_per_second or 0)}.")
        else:
            latency = "rejected" if probe.slo_latency_seconds is None else milliseconds(probe.slo_latency_seconds)
            verdict = "kept" if probe.holds else "missed"
            say(f"{per_second(probe.asked_per_second)}: p{cfg.load.slo.percentile:g} {latency}, {verdict}")

    found = capacity_over_http(url, read_texts(texts), cfg.load, f"{cfg.seed}-0", tell)
    for remark in filter(None, (found.reason, found.generator_limit)):
        say(f"Note: {remark}.")
    if found.generator_limit:
        raise UserError("The service was not the limit, so its capacity is not known.")
    ratio = found.per_second / recorded.per_second
    say(
        f"Over HTTP it holds {per_second(found.per_second)} with {recorded.objective}. Recorded: "
        f"{per_second(recorded.per_second)}. That is {ratio:.0%}."
    )
    return 0 if ratio >= _ENOUGH else 1
