"""Run the phases that a trial and its partner have in common: import, load, tokenizer, first call and warm-up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.engines.engine import Engine, import_engine
from runner.results.records.measured import Measured
from runner.trial.box import process_start_seconds, read_bytes
from runner.trial.inputs import TEXTS_FILE, load_inputs
from runner.trial.memory import MemoryWatch
from runner.trial.request import Paths, Settings
from runner.trial.timing import Call, no_garbage_collection, warm_up
from runner.trial.turns import Side

if TYPE_CHECKING:
    from runner.trial.encoder import Encoder

_ATTEMPTS = 3  # in a single attempt, other work of the machine may hide that the threads are idle


@dataclass
class Started:
    """A model that can be timed.

    Attributes:
        engine: the engine, with the loaded model.
        arrays: the inputs of each batch as (input_ids, attention_mask …).
        side: the calls to time.
        measured: the measurements so far.
    """

    engine: Engine
    arrays: list[tuple[Any, ...]]
    side: Side
    measured: Measured


def start(request: Settings, paths: Paths, watch: MemoryWatch) -> Started:
    """Run the phases in order, and measure the time and the peak of memory of each phase."""
    measured = Measured()
    with watch.watching("import"):
        began = time.perf_counter()
        engine_class = import_engine(request["engine"], request["plugin"])
        measured.import_seconds = time.perf_counter() - began
    measured.rss_import_bytes, measured.rss_anon_import_bytes = watch.phase_peak()

    with watch.watching("load"):
        began = time.perf_counter()
        engine = engine_class(paths["artifact"], request["threads"])
        measured.load_seconds = time.perf_counter() - began
    measured.rss_load_bytes, measured.rss_anon_load_bytes = watch.phase_peak()

    with watch.watching("tokenizer"):
        began = time.perf_counter()
        from runner.trial.encoder import Encoder, in_calls, read_texts  # here, because importing it is measured

        encoder = Encoder(paths["inputs"], engine.prepare)
        measured.tokenizer_load_seconds = time.perf_counter() - began
    watch.phase_peak()

    arrays = load_inputs(paths["inputs"] / TEXTS_FILE, request["measure"]["batches"])
    texts = in_calls(read_texts(paths["inputs"]), len(arrays[0][0]))[: len(arrays)]
    call = Call(encoder.encode, engine.run)
    with watch.watching("first call"):
        began = time.perf_counter()
        call(texts[0])
        measured.first_call_seconds = time.perf_counter() - began
    measured.start_seconds, measured.start_read_bytes = time.monotonic() - process_start_seconds(), read_bytes()
    measured.rss_first_call_bytes, measured.rss_anon_first_call_bytes = watch.phase_peak()
    _check_tokens(encoder, texts, arrays)

    shapes = {inputs[0].shape: batch for inputs, batch in zip(arrays, texts, strict=True)}
    watch.start("warm-up")
    with no_garbage_collection():
        began = time.perf_counter()
        budget_seconds = request["measure"]["warmup_seconds"]
        measured.warmup_calls, call_seconds = warm_up(call, list(shapes.values()), budget_seconds)
        measured.warmup_seconds = time.perf_counter() - began
    side = Side(call, texts, call_seconds, request["threads"])
    side.goes_idle = any(side.settle() for _ in range(_ATTEMPTS))
    watch.phase_peak()
    return Started(engine, arrays, side, measured)


def _check_tokens(encoder: Encoder, texts: Sequence[Any], arrays: Sequence[tuple[Any, ...]]) -> None:
    """Check that the box tokenizes the texts as they were tokenized for the evaluation.

    Raises:
        ValueError: if it makes other tokens.
    """
    for batch, inputs in zip(texts, arrays, strict=True):
        found = encoder.tokenize(batch)
        if [array.tolist() for array in found] != [array.tolist() for array in inputs]:
            raise ValueError(f"the tokens of {batch[0]!r:.80} differ from those that the predictions were made with")
