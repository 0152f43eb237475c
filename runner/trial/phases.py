"""Run the phases that a trial and its partner have in common: import, load, first call and warm-up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from runner.engines.engine import Engine, import_engine
from runner.results.records.measured import Measured
from runner.trial.inputs import load_inputs
from runner.trial.memory import MemoryWatch
from runner.trial.request import Paths, Settings
from runner.trial.timing import no_garbage_collection, warm_up
from runner.trial.turns import Side

_ATTEMPTS = 3  # whatever else the machine does may hide once that the threads are idle


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

    arrays = load_inputs(paths["inputs"] / "inputs.npz", request["measure"]["batches"])
    batches = [engine.prepare(*inputs) for inputs in arrays]
    with watch.watching("first call"):
        began = time.perf_counter()
        engine.run(batches[0])
        measured.first_call_seconds = time.perf_counter() - began
    measured.rss_first_call_bytes, measured.rss_anon_first_call_bytes = watch.phase_peak()

    shapes = {inputs[0].shape: batch for inputs, batch in zip(arrays, batches, strict=True)}
    watch.start("warm-up")
    with no_garbage_collection():
        began = time.perf_counter()
        budget_seconds = request["measure"]["warmup_seconds"]
        measured.warmup_calls, call_seconds = warm_up(engine.run, list(shapes.values()), budget_seconds)
        measured.warmup_seconds = time.perf_counter() - began
    side = Side(engine.run, batches, call_seconds, request["threads"])
    side.goes_idle = any(side.settle() for _ in range(_ATTEMPTS))
    watch.phase_peak()
    return Started(engine, arrays, side, measured)
