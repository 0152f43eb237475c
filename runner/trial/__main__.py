"""Measure one artifact inside a box: `python -m runner.trial REQUEST`, where REQUEST is a JSON file.

    {"engine": name, "plugin": its module or null, "threads": 1, "cpus": [1], "memory_bytes": … or null,
     "session": a number of this trial,
     "measure": {"batches": …, "timed_seconds": …, "warmup_seconds": …, "turn_seconds": …},
     "paths": {"artifact": …, "inputs": …, "partner": the partner's folder, if there is one, "output": …}}

What was measured goes to `measured.json` in the output folder, written whole.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from runner.trial import box
from runner.trial.cgroup import memory_peak_bytes, throttled_periods
from runner.trial.inputs import load_larger
from runner.trial.memory import MemoryWatch
from runner.trial.phases import Started, start
from runner.trial.timing import no_garbage_collection, reference_seconds
from runner.trial.turns import Partner, Side, run_turns, schedule


def main() -> None:
    """Read the request, measure, write the result under its final name only when it is whole."""
    request = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(path) for name, path in request["paths"].items()}
    measured = measure(request, paths)
    unfinished = paths["output"] / "measured.json.part"
    unfinished.write_text(json.dumps(measured))
    unfinished.rename(paths["output"] / "measured.json")


def measure(request: dict[str, Any], paths: dict[str, Path]) -> dict[str, Any]:
    """Go through the phases import, load, first call, warm-up, timed calls, longest call; return their figures."""
    watch = MemoryWatch()
    started = start(request, paths, watch)
    engine, arrays, figures = started.engine, started.arrays, started.figures
    with no_garbage_collection():
        figures |= _timed(started.side, request, paths, watch)
    longest = _call_with_longest(started, paths["inputs"] / "inputs.npz", watch)
    batches = len(arrays)
    examples = sum(len(inputs[0]) for inputs in arrays)
    useful_tokens = int(sum(inputs[1].sum() for inputs in arrays))
    pass_seconds = figures["timed_seconds"] / (figures["calls"] / batches)
    read = box.read_back() | {
        "engine": engine.describe(),
        "os_threads": box.os_threads(),
        "memory_peak_resets": watch.peak_resets,
        "modules": _third_party_modules(),
    }
    return figures | {
        "examples_per_second": examples / pass_seconds,
        "tokens_per_second": useful_tokens / pass_seconds,
        "useful_tokens": useful_tokens,
        "padded_tokens": sum(inputs[1].size for inputs in arrays),
        **watch.total.columns("peak"),
        "rss_file_bytes": watch.file_bytes(),
        "rss_peak_tokens": longest,
        "box_peak_bytes": memory_peak_bytes() if request["memory_bytes"] else None,
        "box": read,
        "unfair": unfair(request, read, figures),
        "memory": watch.samples(),
        "process_seconds": time.monotonic() - box.process_start_seconds(),
    }


def _timed(side: Side, request: dict[str, Any], paths: dict[str, Path], watch: MemoryWatch) -> dict[str, Any]:
    """Time whole passes, in turns with the partner; read the machine's own counters right around them."""
    asked, batches = request["measure"], len(side.batches)
    partner = Partner(paths["partner"], request["session"]) if "partner" in paths else None
    partner_call_seconds = partner.begin(0) if partner else 0.0
    times = asked["timed_seconds"], asked["turn_seconds"]
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
    seconds = side.seconds
    spent = {name: None if None in (before[name], after[name]) else after[name] - before[name] for name in before}
    return {
        "timed_seconds": sum(seconds),
        "calls": len(seconds),
        "latency_p50_seconds": median(seconds),
        "latency_p90_seconds": quantiles(seconds, n=10, method="inclusive")[8] if len(seconds) > 1 else seconds[0],
        "latency_mean_seconds": fmean(seconds),
        "elapsed_seconds": side.busy_seconds,
        "partner_seconds": partner.waited_seconds if partner else None,
        "energy_joules_per_call": side.joules / len(seconds) if side.joules is not None else None,
        **spent,
        "reference_seconds": fmean(reference),
        "samples": {
            "latency_seconds": list(seconds),
            "batch": [call % batches for call in range(len(seconds))],
            "turn": [plan.turn_of(call) for call in range(len(seconds))],
        },
    }


def _call_with_longest(started: Started, file: Path, watch: MemoryWatch) -> int:
    """Call once with each input that is larger than all that were timed; return the length of the longest, in tokens.

    So the peaks of memory hold for every text of the task, not only for the first ones. Nothing of this is timed.
    """
    larger = load_larger(file, [inputs[0].shape for inputs in started.arrays])
    batches = [started.engine.prepare(*inputs) for inputs in larger]
    watch.start("longest call")
    for batch in batches:
        started.engine.run(batch)
    watch.phase_peak()
    return max(int(inputs[0].shape[1]) for inputs in [*started.arrays, *larger])


def _counters(cpus: list[int]) -> dict[str, Any]:
    """Return what the kernel counts for this process and these CPUs; None for what it does not tell."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "involuntary_switches": usage.ru_nivcsw,
        "steal_seconds": box.steal_seconds(cpus),
        "throttled_periods": throttled_periods(),
    }


def _third_party_modules() -> list[str]:
    """Return what was imported besides the standard library."""
    top_level = {name.partition(".")[0] for name in sys.modules}
    return sorted(name for name in top_level - sys.stdlib_module_names if not name.startswith("_"))


def unfair(request: dict[str, Any], read: dict[str, Any], figures: dict[str, Any]) -> str | None:
    """Return how the box differs from what the job asked for, or None."""
    if read["cpus"] != request["cpus"]:
        return f"asked for CPUs {request['cpus']}, got {read['cpus']}"
    if request["memory_bytes"] and read["memory_limit_bytes"] != request["memory_bytes"]:
        return f"asked for a memory limit of {request['memory_bytes']} bytes, got {read['memory_limit_bytes']}"
    if read["engine"]["threads"] != request["threads"]:
        return f"asked the engine for threads={request['threads']}, it has {read['engine']['threads']}"
    if figures["cpu_seconds"] > 1.05 * request["threads"] * figures["elapsed_seconds"] + 0.05:
        return (
            f"used {figures['cpu_seconds']:.2f} CPU seconds in {figures['elapsed_seconds']:.2f} seconds: "
            f"more than threads={request['threads']} can"
        )
    return None


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is written; taking torch apart would cost a second or more
