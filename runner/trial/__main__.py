"""Measure one artifact inside a box: `python -m runner.trial REQUEST`, where REQUEST is a JSON file.

    {"engine": name, "threads": 1, "cpus": [1], "memory_bytes": … or null,
     "measure": {"batches": …, "timed_seconds": …, "warmup_seconds": …},
     "paths": {"artifact": …, "inputs": …, "output": …}}

What was measured goes to `measured.json` in the output folder, written whole.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from array import array
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

from runner.engines import Engine, import_engine
from runner.trial import box
from runner.trial.inputs import load_inputs
from runner.trial.memory import MemoryWatch
from runner.trial.timing import no_garbage_collection, reference_seconds, timed_pass, warm_up


def main() -> None:
    """Read the request, measure, write the result under its final name only when it is whole."""
    request = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(path) for name, path in request["paths"].items()}
    measured = measure(request, paths)
    unfinished = paths["output"] / "measured.json.part"
    unfinished.write_text(json.dumps(measured))
    unfinished.rename(paths["output"] / "measured.json")


def measure(request: dict[str, Any], paths: dict[str, Path]) -> dict[str, Any]:
    """Go through the phases import, load, first call, warm-up, timed calls; return their figures."""
    watch, figures = MemoryWatch(), {}
    with watch.watching("import"):
        began = time.perf_counter()
        engine_class = import_engine(request["engine"])
        figures["import_seconds"] = time.perf_counter() - began
    figures["rss_import_bytes"] = watch.phase_peak_bytes()

    with watch.watching("load"):
        began = time.perf_counter()
        engine = engine_class(paths["artifact"], request["threads"])
        figures["load_seconds"] = time.perf_counter() - began
    figures["rss_load_bytes"] = watch.phase_peak_bytes()

    arrays = load_inputs(paths["inputs"] / "inputs.npz", request["measure"]["batches"])
    batches = [engine.prepare(*pair) for pair in arrays]
    with watch.watching("first call"):
        began = time.perf_counter()
        engine.run(batches[0])
        figures["first_call_seconds"] = time.perf_counter() - began
    figures["rss_first_call_bytes"] = watch.phase_peak_bytes()

    figures |= _steady(engine, batches, request["measure"], watch)
    examples = sum(len(mask) for _, mask in arrays)
    useful_tokens = int(sum(mask.sum() for _, mask in arrays))
    pass_seconds = figures["timed_seconds"] / (figures["calls"] / len(batches))
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
        "padded_tokens": sum(mask.size for _, mask in arrays),
        "rss_peak_bytes": watch.total_peak_bytes(),
        "box_peak_bytes": box.box_peak_bytes() if request["memory_bytes"] else None,
        "box": read,
        "unfair": unfair(request, read, figures),
        "memory": {"phase": watch.phases, "seconds": watch.seconds, "rss_bytes": watch.rss_bytes},
    }


def _steady(engine: Engine, batches: list[Any], measure: dict[str, Any], watch: MemoryWatch) -> dict[str, Any]:
    """Warm up, then time whole passes; read the machine's own counters right around them."""
    watch.start("warm-up")
    with no_garbage_collection():
        began = time.perf_counter()
        warmup_calls, call_seconds = warm_up(engine.run, batches, measure["warmup_seconds"])
        warmup_seconds = time.perf_counter() - began
        passes = max(1, int(measure["timed_seconds"] / (call_seconds * len(batches))))
        seconds = array("d", bytes(8 * passes * len(batches)))
        cpus = sorted(os.sched_getaffinity(0))

        watch.start("timed")
        reference = [reference_seconds()]
        steal, throttled, usage = box.steal_seconds(cpus), box.throttled_periods(), _usage()
        began = time.perf_counter()
        for number in range(passes):
            timed_pass(engine.run, batches, seconds, number * len(batches))
        elapsed = time.perf_counter() - began
        after = _usage()
        steal, throttled = box.steal_seconds(cpus) - steal, box.throttled_periods() - throttled
        reference.append(reference_seconds())
        watch.sample()
    return {
        "warmup_seconds": warmup_seconds,
        "warmup_calls": warmup_calls,
        "timed_seconds": sum(seconds),
        "calls": len(seconds),
        "latency_p50_seconds": median(seconds),
        "latency_p90_seconds": quantiles(seconds, n=10, method="inclusive")[8] if len(seconds) > 1 else seconds[0],
        "latency_mean_seconds": fmean(seconds),
        "elapsed_seconds": elapsed,
        "cpu_seconds": after[0] - usage[0],
        "involuntary_switches": after[1] - usage[1],
        "steal_seconds": steal,
        "throttled_periods": throttled,
        "reference_seconds": fmean(reference),
        "samples": {
            "latency_seconds": list(seconds),
            "batch": [index % len(batches) for index in range(len(seconds))],
        },
    }


def _third_party_modules() -> list[str]:
    """Return what was imported besides the standard library."""
    top_level = {name.partition(".")[0] for name in sys.modules}
    return sorted(name for name in top_level - sys.stdlib_module_names if not name.startswith("_"))


def _usage() -> tuple[float, int]:
    """Return CPU seconds (user and system) and involuntary context switches of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_nivcsw


def unfair(request: dict[str, Any], read: dict[str, Any], figures: dict[str, Any]) -> str | None:
    """Return how the box differs from what the job asked for, or None."""
    if read["cpus"] != request["cpus"]:
        return f"asked for CPUs {request['cpus']}, got {read['cpus']}"
    if request["memory_bytes"] and read["memory_limit_bytes"] != request["memory_bytes"]:
        return f"asked for a memory limit of {request['memory_bytes']} bytes, got {read['memory_limit_bytes']}"
    if read["engine"]["threads"] != request["threads"]:
        return f"asked the engine for {request['threads']} threads, it has {read['engine']['threads']}"
    if figures["cpu_seconds"] > 1.05 * request["threads"] * figures["elapsed_seconds"] + 0.05:
        return (
            f"used {figures['cpu_seconds']:.2f} CPU seconds in {figures['elapsed_seconds']:.2f} seconds: "
            f"more than {request['threads']} threads"
        )
    return None


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # all is written; taking torch apart would cost a second or more
