"""Measure one artifact inside a box: `python -m runner.trial REQUEST`, where REQUEST is a JSON file.

    {"engine": the engine's name, "plugin": its module or null, "threads": 1, "cpus": [1], "memory_bytes": … or null,
     "quota_cpus": … or null, "session": a number that identifies this trial,
     "measure": {"batches": …, "timed_seconds": …, "warmup_seconds": …, "turn_seconds": …},
     "paths": {"artifact": …, "inputs": …, "partner": the partner's folder, if there is one, "output": …}}

The result (runner/results/records/measured.py) is written atomically to `measured.json` in the output folder.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import NamedTuple

from runner.results.records.measured import CallSeries, Measured, to_json
from runner.trial import box
from runner.trial.cgroup import Throttling, memory_peak_bytes, throttling
from runner.trial.idle import LIMIT_SECONDS
from runner.trial.inputs import DOCUMENTS_FILE, TEXTS_FILE, load_inputs, load_larger
from runner.trial.memory import MemoryWatch
from runner.trial.phases import Started, start
from runner.trial.request import Paths, Settings, atomic_write, read_request, run
from runner.trial.timing import no_garbage_collection, reference_seconds
from runner.trial.turns import Partner, Schedule, run_turns, schedule, timed_seconds

_DOCUMENT_BATCHES = 2  # in a task of kind retrieval, the batches whose encoding rate is measured


def main() -> None:
    """Read the request, measure, and write the result."""
    request, paths = read_request()
    atomic_write(paths["output"] / "measured.json", to_json(measure(request, paths)))


def measure(request: Settings, paths: Paths) -> Measured:
    """Run the phases import, load, tokenizer, first call, warm-up, timed calls and longest call, and measure each."""
    watch = MemoryWatch()
    started = start(request, paths, watch)
    measured = started.measured
    with no_garbage_collection():
        _time_calls(started, request, paths, watch)
    files = [path for name in (TEXTS_FILE, DOCUMENTS_FILE) if (path := paths["inputs"] / name).exists()]
    measured.rss_peak_tokens = _call_with_longest(started, files, watch)
    if files[1:]:
        measured.documents_per_second = _documents_per_second(started, files[1], watch)
    measured.rss_peak_bytes, measured.rss_anon_peak_bytes = watch.total
    measured.rss_file_bytes = watch.file_bytes()
    measured.box_peak_bytes = memory_peak_bytes() if request["memory_bytes"] else None
    facts = {"memory_peak_resets": watch.peak_resets, "modules": _third_party_modules()}
    box.read_back(measured, started.engine.describe(), facts)
    measured.unfair = unfair(request, measured)
    measured.memory = watch.samples()
    measured.process_seconds = time.monotonic() - box.process_start_seconds()
    return measured


def _time_calls(started: Started, request: Settings, paths: Paths, watch: MemoryWatch) -> None:
    """Time whole passes over the inputs in turns with the partner, and read the kernel's counters before and after."""
    side, measured = started.side, started.measured
    settings, batches = request["measure"], len(side.batches)
    partner = Partner(paths["partner"], request["session"]) if "partner" in paths else None
    partner_call_seconds = partner.begin(0) if partner else 0.0
    if partner and not (side.goes_idle and partner.goes_idle):
        whose = "the partner's" if side.goes_idle else "the engine's"
        measured.no_turns = f"{whose} threads do not go idle within {LIMIT_SECONDS} seconds after a call"
        partner, partner_call_seconds = None, 0.0
    times = timed_seconds(settings["timed_seconds"], side.threads), settings["turn_seconds"]
    plan = schedule(side.call_seconds, partner_call_seconds, batches, *times)
    side.expect(plan.calls)
    if partner:
        partner.begin(plan.calls)
    cpus = sorted(os.sched_getaffinity(0))

    watch.start("timed")
    reference = [reference_seconds()]
    before = _counters(cpus)
    run_turns(side, partner, plan)
    after = _counters(cpus)
    reference.append(reference_seconds())
    watch.phase_peak()
    if partner:
        partner.end()
        measured.partner_seconds = partner.waited_seconds
        measured.settling_seconds = side.settling_seconds / -(-plan.turns // 2)  # it hands over in every other turn
        measured.unsettled_turns = side.unsettled_turns + partner.unsettled_turns
    measured.reference_seconds = fmean(reference)
    measured.cpu_seconds = after.cpu_seconds - before.cpu_seconds
    measured.involuntary_switches, measured.waiting_seconds = side.involuntary_switches, side.waiting_seconds
    if before.steal_seconds is not None and after.steal_seconds is not None:
        measured.steal_seconds = after.steal_seconds - before.steal_seconds
    if before.throttling is not None and after.throttling is not None:
        throttled = after.throttling.since(before.throttling)
        measured.quota_periods, measured.throttled_periods, measured.throttled_seconds = throttled
    _summarize(started, plan)


def _summarize(started: Started, plan: Schedule) -> None:
    """Write the timed calls, and the values that follow from them, into the record."""
    side, measured, batches = started.side, started.measured, len(started.arrays)
    latency, tokenize = side.seconds.latency, side.seconds.tokenize
    engine = [total - part for total, part in zip(latency, tokenize, strict=True)]
    measured.timed_seconds = sum(latency)
    measured.elapsed_seconds = side.busy_seconds
    measured.calls = len(latency)
    measured.latency_p50_seconds = median(latency)
    percentiles = quantiles(latency, n=100, method="inclusive") if len(latency) > 1 else [*latency] * 99
    measured.latency_p90_seconds, measured.latency_p95_seconds = percentiles[89], percentiles[94]
    measured.latency_p99_seconds = percentiles[98]
    measured.latency_mean_seconds = fmean(latency)
    measured.tokenize_p50_seconds = median(tokenize)
    measured.engine_p50_seconds, measured.engine_mean_seconds = median(engine), fmean(engine)
    measured.energy_joules_per_call = side.joules / len(latency) if side.joules is not None else None

    examples = sum(len(inputs[0]) for inputs in started.arrays)
    useful_tokens = int(sum(inputs[1].sum() for inputs in started.arrays))
    pass_seconds = measured.timed_seconds / (measured.calls / batches)
    measured.examples_per_second = examples / pass_seconds
    measured.tokens_per_second = useful_tokens / pass_seconds
    measured.useful_tokens = useful_tokens
    measured.padded_tokens = sum(inputs[1].size for inputs in started.arrays)

    measured.samples = CallSeries()
    measured.samples.latency_seconds, measured.samples.tokenize_seconds = list(latency), list(tokenize)
    measured.samples.batch = [call % batches for call in range(len(latency))]
    measured.samples.turn = [plan.turn_of(call) for call in range(len(latency))]


def _documents_per_second(started: Started, file: Path, watch: MemoryWatch) -> float:
    """Return how many documents per second the engine encodes, without tokenizing, in one pass over a few batches."""
    arrays = load_inputs(file, _DOCUMENT_BATCHES)
    batches = [started.engine.prepare(*inputs) for inputs in arrays]
    watch.start("documents")
    with no_garbage_collection():
        started.engine.run(batches[0])  # a new shape may need memory and compilation
        began = time.perf_counter()
        for batch in batches:
            started.engine.run(batch)
        seconds = time.perf_counter() - began
    watch.phase_peak()
    return sum(len(inputs[0]) for inputs in arrays) / seconds


def _call_with_longest(started: Started, files: Sequence[Path], watch: MemoryWatch) -> int:
    """Call the model once with each of the largest inputs, and return the length of the longest text in tokens.

    An input is left out if a timed input was as large. So the peaks of memory are valid for all texts of the task, not
    only for the first ones. These calls are not timed.
    """
    known = [inputs[0].shape for inputs in started.arrays]
    larger = [inputs for file in files for inputs in load_larger(file, known)]
    batches = [started.engine.prepare(*inputs) for inputs in larger]
    watch.start("longest call")
    for batch in batches:
        started.engine.run(batch)
    watch.phase_peak()
    return max(int(inputs[0].shape[1]) for inputs in [*started.arrays, *larger])


class _Counters(NamedTuple):
    """The kernel's counters for this process and its CPUs. A counter that the kernel does not show is None."""

    cpu_seconds: float
    steal_seconds: float | None
    throttling: Throttling | None


def _counters(cpus: list[int]) -> _Counters:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return _Counters(usage.ru_utime + usage.ru_stime, box.steal_seconds(cpus), throttling())


def _third_party_modules() -> list[str]:
    """Return the names of the imported packages that are not in the standard library."""
    top_level = {name.partition(".")[0] for name in sys.modules}
    return sorted(name for name in top_level - sys.stdlib_module_names if not name.startswith("_"))


def unfair(request: Settings, measured: Measured) -> str | None:
    """Return how the box differs from the job's settings, or None if it does not."""
    cpus, memory_bytes, threads = box.joined_cpus(request["cpus"]), request["memory_bytes"], request["threads"]
    if measured.box_cpus != cpus:
        return f"the job asks for CPUs {cpus}, but the box has {measured.box_cpus}"
    if memory_bytes and measured.box_memory_limit_bytes != memory_bytes:
        limit = measured.box_memory_limit_bytes
        return f"the job asks for a memory limit of {memory_bytes} bytes, but the box has {limit}"
    if measured.box_quota_cpus != request["quota_cpus"] and request["quota_cpus"] is not None:
        quota = measured.box_quota_cpus
        return f"the job asks for a CPU quota of {request['quota_cpus']:g}, but the box has {quota}"
    if measured.box_engine_threads != threads:
        return f"the job asks for threads={threads}, but the engine has {measured.box_engine_threads}"
    cpu_seconds, elapsed_seconds = measured.cpu_seconds or 0.0, measured.elapsed_seconds or 0.0
    if cpu_seconds > 1.05 * threads * elapsed_seconds + 0.05:
        return f"used {cpu_seconds:.2f} CPU seconds in {elapsed_seconds:.2f} seconds: more than threads={threads} can"
    return None


if __name__ == "__main__":
    run(main)
