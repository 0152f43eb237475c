"""Run one step inside a box: `python -m runner.techniques REQUEST`, where REQUEST is a JSON file.

    {"step": name, "plugin": its module or null, "config": {…}, "threads": 2,
     "paths": {"source": …, "texts": …, "output": …}}

The step writes the artifact's files to `files/` in the output folder and its notes to `notes.json`. While it runs, it
writes its progress to `progress.txt`.
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
    """Read the request, run the step and write its notes."""
    request, paths = read_request()
    step = load_step_class(request["step"], request["plugin"])(**request["config"])
    target = paths["output"] / "files"
    target.mkdir()
    tempfile.tempdir = str(paths["output"])  # /tmp is in memory and too small for a copy of a model
    started = time.monotonic()
    inputs = StepInputs(
        paths.get("source"),
        paths["texts"],
        request["threads"],
        checkpoint=paths.get("checkpoint"),
        teacher=paths.get("teacher"),
        report=partial(_report, paths["output"] / PROGRESS),
    )
    notes = run_step(step, inputs, target)
    record = {"notes": notes, "seconds": time.monotonic() - started}
    (paths["output"] / "notes.json").write_text(json.dumps(record))


def _report(path: Path, line: str) -> None:
    print(line, flush=True)
    path.write_text(line)


if __name__ == "__main__":
    run(main)
