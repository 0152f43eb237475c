"""Run one step inside a box: `python -m runner.techniques REQUEST`, where REQUEST is a JSON file.

    {"step": name, "plugin": its module or null, "config": {…}, "threads": 2,
     "paths": {"source": …, "texts": …, "output": …}}

The artifact's files go to `files/` below the output folder, the step's notes to `notes.json`; `progress.txt` says how
far it is meanwhile.
"""

from __future__ import annotations

import json
import tempfile
import time
from functools import partial
from pathlib import Path

from runner.techniques.step import PROGRESS, StepInputs, load_step_class, run_step
from runner.trial.request import read_request, run


def main() -> None:
    """Read the request, run the step, write its notes."""
    request, paths = read_request()
    step = load_step_class(request["step"], request["plugin"])(**request["config"])
    target = paths["output"] / "files"
    target.mkdir()
    tempfile.tempdir = str(paths["output"])  # on the disk: /tmp is memory, and too small for a copy of a model
    started = time.monotonic()
    beside = paths.get("checkpoint"), paths.get("teacher")
    tell = partial(_tell, paths["output"] / PROGRESS)
    inputs = StepInputs(paths.get("source"), paths["texts"], request["threads"], *beside, tell=tell)
    notes = run_step(step, inputs, target)
    record = {"notes": notes, "seconds": time.monotonic() - started}
    (paths["output"] / "notes.json").write_text(json.dumps(record))


def _tell(path: Path, line: str) -> None:
    print(line, flush=True)
    path.write_text(line)


if __name__ == "__main__":
    run(main)
