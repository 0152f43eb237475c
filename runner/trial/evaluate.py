"""Judge one artifact: logits of every text, in the workload's own batches, how far they depend on these, and precision.

Apart from timing, once per artifact.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from runner.engines import Engine, import_engine
from runner.trial.inputs import load_inputs, pad_token_id
from runner.trial.neighbours import Batch, compare_batchings


def main() -> None:
    """Read the request (see runner/isolation), write `files/logits.json` and `notes.json` into the output folder."""
    request = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(path) for name, path in request["paths"].items()}
    engine = import_engine(request["engine"], request["plugin"])(paths["artifact"], request["threads"])
    file = paths["inputs"] / "inputs.npz"
    batches = load_inputs(file)
    logits = np.concatenate([judge(engine, batch) for batch in batches])
    (paths["output"] / "files").mkdir()
    (paths["output"] / "files" / "logits.json").write_text(json.dumps(logits.tolist()))
    notes = engine.describe() | {
        "precision": engine.precision(engine.prepare(*batches[0])),
        "neighbours": compare_batchings(
            lambda batch: judge(engine, batch), batches, logits, pad_token_id(file), request["kind"]
        ),
    }
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": notes}))


def judge(engine: Engine, batch: Batch) -> np.ndarray:
    """Return the logits of a batch, [texts, labels]."""
    return engine.logits(engine.run(engine.prepare(*batch))).copy()  # the engine may use its buffer again


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is written; taking torch apart would cost a second or more
