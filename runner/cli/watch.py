"""`pinbox watch`: keep the report of a running sweep up to date."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import click

from runner.cli.parameters import sweep_argument
from runner.errors import printable


@click.command()
@sweep_argument
def watch(sweep: Path) -> None:
    """Keep the report of a running sweep up to date.

    Run it in another terminal. It ends when the sweep ends, or with Ctrl-C, which does not stop the sweep.
    """
    from runner.report.watch.aside import stand_aside

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell script's background jobs ignore it otherwise
    cores = stand_aside()
    from runner.report.watch.follow import Pace, follow  # not earlier: numpy and pyarrow start threads

    try:
        follow(sweep, cores, _say, Pace())
    except KeyboardInterrupt:
        _say("The watch has ended. The sweep itself continues.")
    else:
        _say("The sweep is complete.")
    print(sweep / "report.html")


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {printable(line)}", flush=True)
