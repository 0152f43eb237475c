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

    Type it in another terminal. It ends with the sweep, or with Ctrl-C, which leaves the sweep alone.
    """
    from runner.report.watch.aside import stand_aside

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell script's background jobs ignore it otherwise
    cores = stand_aside()
    from runner.report.watch.follow import Pace, follow  # numpy and pyarrow start threads: not before it stands aside

    try:
        follow(sweep, cores, _say, Pace())
    except KeyboardInterrupt:
        _say("Not watched any more; the sweep itself goes on.")
    else:
        _say("The sweep is complete.")
    print(sweep / "report.html")


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {printable(line)}", flush=True)
