"""Run the partner, the baseline's box, which is open for a whole round and takes turns with each trial of the round.

It is started as `python -m runner.trial.partner REQUEST` with a request like a trial's. It loads and warms up the
model, and makes the file `ready`. Then it answers trials until the process that started it closes the pipe (see
runner/trial/turns.py). The latencies of its calls in a trial are written atomically to `<session>.json`.
"""

from __future__ import annotations

import json

from runner.trial.memory import MemoryWatch
from runner.trial.phases import start
from runner.trial.request import atomic_write, read_request, run
from runner.trial.timing import no_garbage_collection
from runner.trial.turns import Side, serve


def main() -> None:
    """Load and warm up the model, and answer trials until the pipe is closed."""
    request, paths = read_request()
    output = paths["output"]
    side = start(request, paths, MemoryWatch()).side

    def write(session: int, side: Side) -> None:
        calls = {"latency_seconds": list(side.seconds.latency), "tokenize_seconds": list(side.seconds.tokenize)}
        atomic_write(output / f"{session}.json", json.dumps(calls))

    with no_garbage_collection():
        serve(side, output, (output / "ready").touch, write)


if __name__ == "__main__":
    run(main)
