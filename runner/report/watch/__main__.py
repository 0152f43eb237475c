"""pinbox watch SWEEP: keep the report of a running sweep up to date."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from runner.errors import UserError, printable
from runner.report.watch.aside import stand_aside


def main() -> int:
    """Watch until the sweep is complete or Ctrl-C; return 0, or 2 if there is no sweep to watch."""
    parser = argparse.ArgumentParser("pinbox watch", description="Keep a running sweep's report up to date.")
    parser.add_argument("sweep", type=Path, help="folder of the sweep, such as outputs/demo")
    sweep = parser.parse_args().sweep
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell script's background jobs ignore it otherwise
    cores = stand_aside()
    from runner.report.watch.follow import Pace, follow  # numpy and pyarrow start threads: not before it stands aside

    try:
        follow(sweep, cores, _say, Pace())
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        _say("Not watched any more; the sweep itself goes on.")
    else:
        _say("The sweep is complete.")
    print(sweep / "report.html")
    return 0


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {printable(line)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
