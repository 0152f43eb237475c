"""Judge one artifact: logits of every text, in the workload's own batches, and the precision it is computed in.

Apart from timing, once per artifact.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from runner.engines import import_engine
from runner.trial.inputs import load_inputs


def main() -> None:
    """Read the request (see runner/isolation), write `files/logits.json` and `notes.json` into the output folder."""
    request = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(path) for name, path in request["paths"].items()}
    engine = import_engine(request["engine"])(paths["artifact"], request["threads"])
    logits: list[list[float]] = []
    arrays = load_inputs(paths["inputs"] / "inputs.npz")
    for input_ids, attention_mask in arrays:
        output = engine.run(engine.prepare(input_ids, attention_mask))
        logits.extend(engine.logits(output).tolist())
    (paths["output"] / "files").mkdir()
    (paths["output"] / "files" / "logits.json").write_text(json.dumps(logits))
    notes = engine.describe() | {"precision": engine.precision(engine.prepare(*arrays[0]))}
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": notes}))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is written; taking torch apart would cost a second or more
