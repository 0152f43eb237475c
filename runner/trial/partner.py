"""The partner: the baseline's box, open for a whole round, that takes turns with each of its trials.

`python -m runner.trial.partner REQUEST`, a request like a trial's. It makes the model ready, says so by the file
`ready`, then answers trials until whoever started it closes the pipe (see runner/trial/turns.py). What its calls in
a trial took goes to `<session>.json`, written whole.
"""

from __future__ import annotations

import json

from runner.trial.memory import MemoryWatch
from runner.trial.phases import start
from runner.trial.request import atomic_write, read_request, run
from runner.trial.timing import no_garbage_collection
from runner.trial.turns import Side, serve


def main() -> None:
    """Get ready, then serve."""
    request, paths = read_request()
    output = paths["output"]
    side = start(request, paths, MemoryWatch()).side

    def write(session: int, side: Side) -> None:
        atomic_write(output / f"{session}.json", json.dumps(list(side.seconds)))

    with no_garbage_collection():
        serve(side, output, (output / "ready").touch, write)


if __name__ == "__main__":
    run(main)
