"""The phases that a trial and its partner go through alike: import, load, first call, warm-up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.engines.engine import Engine, import_engine
from runner.trial.inputs import load_inputs
from runner.trial.memory import MemoryWatch
from runner.trial.timing import no_garbage_collection, warm_up
from runner.trial.turns import Side


@dataclass
class Started:
    """A model ready to be timed: its engine, its inputs as (input_ids, attention_mask …), and what it took so far."""

    engine: Engine
    arrays: list[tuple[Any, ...]]
    side: Side
    figures: dict[str, Any]


def start(request: dict[str, Any], paths: dict[str, Path], watch: MemoryWatch) -> Started:
    """Go through the phases in order, each with its time and its peak of memory."""
    figures: dict[str, Any] = {}
    with watch.watching("import"):
        began = time.perf_counter()
        engine_class = import_engine(request["engine"], request["plugin"])
        figures["import_seconds"] = time.perf_counter() - began
    figures |= watch.phase_peak().columns("import")

    with watch.watching("load"):
        began = time.perf_counter()
        engine = engine_class(paths["artifact"], request["threads"])
        figures["load_seconds"] = time.perf_counter() - began
    figures |= watch.phase_peak().columns("load")

    arrays = load_inputs(paths["inputs"] / "inputs.npz", request["measure"]["batches"])
    batches = [engine.prepare(*inputs) for inputs in arrays]
    with watch.watching("first call"):
        began = time.perf_counter()
        engine.run(batches[0])
        figures["first_call_seconds"] = time.perf_counter() - began
    figures |= watch.phase_peak().columns("first_call")

    shapes = {inputs[0].shape: batch for inputs, batch in zip(arrays, batches, strict=True)}
    watch.start("warm-up")
    with no_garbage_collection():
        began = time.perf_counter()
        budget_seconds = request["measure"]["warmup_seconds"]
        figures["warmup_calls"], call_seconds = warm_up(engine.run, list(shapes.values()), budget_seconds)
        figures["warmup_seconds"] = time.perf_counter() - began
    watch.phase_peak()
    return Started(engine, arrays, Side(engine.run, batches, call_seconds), figures)
