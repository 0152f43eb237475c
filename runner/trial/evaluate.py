"""Evaluate an artifact once: the logits of every text, how much they depend on the batch, and the precision.

In a task of kind retrieval, the logits of the queries come first, and those of the documents after them.
"""

from __future__ import annotations

import json

import numpy as np

from runner.config.task_kinds import TOKENS
from runner.engines.engine import Engine, import_engine
from runner.trial.batch_sensitivity import Batch, compare_batchings
from runner.trial.inputs import (
    DOCUMENTS_FILE,
    LOGITS,
    TEXTS_FILE,
    load_evaluated,
    load_inputs,
    pad_token_id,
    words_with_tokens,
)
from runner.trial.request import read_request, run
from runner.trial.weights import int8_weight_bits


def main() -> None:
    """Read the request, and write `files/logits.npy` and `notes.json` into the output folder."""
    request, paths = read_request()
    engine = import_engine(request["engine"], request["plugin"])(paths["artifact"], request["threads"])
    file, documents = paths["inputs"] / TEXTS_FILE, paths["inputs"] / DOCUMENTS_FILE
    evaluate = evaluate_words if request["kind"] == TOKENS else evaluate_texts
    batches = load_evaluated(file)
    logits = np.concatenate([evaluate(engine, batch) for batch in batches])
    (paths["output"] / "files").mkdir()
    all_logits = [with_unknown(logits, words_with_tokens(file))]
    if documents.exists():
        all_logits += [evaluate_texts(engine, batch) for batch in load_evaluated(documents)]
    np.save(paths["output"] / "files" / LOGITS, np.concatenate(all_logits))
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
    """Return the logits of the words of a batch, [words that have a token, labels]. Its last part marks word starts."""
    *inputs, starts = batch
    logits = engine.logits(engine.run(engine.prepare(*inputs)))
    return np.asarray(logits[starts.astype(bool)])


def with_unknown(logits: np.ndarray, words: np.ndarray | None) -> np.ndarray:
    """Return the logits of all words, with NaN for words without a token. If `words` is None, return `logits`."""
    if words is None:
        return logits
    all_logits = np.full((len(words), logits.shape[-1]), np.nan)
    all_logits[words] = logits
    return all_logits


if __name__ == "__main__":
    run(main)
