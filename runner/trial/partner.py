"""The partner: the baseline's box, open for a whole round, that takes turns with each of its trials.

`python -m runner.trial.partner REQUEST`, a request like a trial's. It makes the model ready, says so by the file
`ready`, then answers trials until whoever started it closes the pipe (see runner/trial/turns.py). What its calls in
a trial took goes to `<session>.json`, written whole.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from runner.trial.memory import MemoryWatch
from runner.trial.phases import start
from runner.trial.timing import no_garbage_collection
from runner.trial.turns import Side, serve


def main() -> None:
    """Get ready, then serve."""
    request = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(path) for name, path in request["paths"].items()}
    output = paths["output"]
    side = start(request, paths, MemoryWatch()).side

    def write(session: int, side: Side) -> None:
        unfinished = output / f"{session}.json.part"
        unfinished.write_text(json.dumps(list(side.seconds)))
        unfinished.rename(output / f"{session}.json")

    with no_garbage_collection():
        serve(side, output, (output / "ready").touch, write)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is written; taking torch apart would cost a second or more
