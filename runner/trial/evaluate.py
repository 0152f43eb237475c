"""Evaluate one artifact: the logits of every text, how far they depend on the batch, and the precision.

Apart from timing, once per artifact.
"""

from __future__ import annotations

import json

import numpy as np

from runner.config.task_kinds import TOKENS
from runner.engines.engine import Engine, import_engine
from runner.trial.batch_sensitivity import Batch, compare_batchings
from runner.trial.inputs import load_evaluated, load_inputs, pad_token_id, words_with_tokens
from runner.trial.request import read_request, run
from runner.trial.weights import int8_weight_bits


def main() -> None:
    """Read the request (see runner/isolation), write `files/logits.json` and `notes.json` into the output folder."""
    request, paths = read_request()
    engine = import_engine(request["engine"], request["plugin"])(paths["artifact"], request["threads"])
    file = paths["inputs"] / "inputs.npz"
    evaluate = evaluate_words if request["kind"] == TOKENS else evaluate_texts
    batches = load_evaluated(file)
    logits = np.concatenate([evaluate(engine, batch) for batch in batches])
    (paths["output"] / "files").mkdir()
    logits_of_all = with_unknown(logits, words_with_tokens(file))
    (paths["output"] / "files" / "logits.json").write_text(json.dumps(logits_of_all.tolist()))
    precision = engine.precision(engine.prepare(*load_inputs(file, 1)[0]))
    notes = engine.describe() | {
        "precision": precision,
        "int8_weight_bits": int8_weight_bits(paths["artifact"], precision),
        "batch_sensitivity": compare_batchings(
            lambda batch: evaluate(engine, batch), batches, logits, pad_token_id(file), request["kind"]
        ),
    }
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": notes}))


def evaluate_texts(engine: Engine, batch: Batch) -> np.ndarray:
    """Return the logits of a batch, [texts, labels]."""
    return engine.logits(engine.run(engine.prepare(*batch))).copy()  # the engine may use its buffer again


def evaluate_words(engine: Engine, batch: Batch) -> np.ndarray:
    """Return the logits of a batch whose last part says where words start, [words that have a token, labels]."""
    *inputs, starts = batch
    logits = engine.logits(engine.run(engine.prepare(*inputs)))
    return np.asarray(logits[starts.astype(bool)])


def with_unknown(logits: np.ndarray, words: np.ndarray | None) -> np.ndarray:
    """Return logits of all words, not numbers where one has no token; the same where texts are evaluated as a whole."""
    if words is None:
        return logits
    logits_of_all = np.full((len(words), logits.shape[-1]), np.nan)
    logits_of_all[words] = logits
    return logits_of_all


if __name__ == "__main__":
    run(main)
