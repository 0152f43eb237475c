"""Results of pyperf: the JSON that `python -m pyperf … -o FILE` writes (its format 1.0)."""

from __future__ import annotations

from typing import Any

from runner.results.external.measured import ExternalBenchmark
from runner.results.external.values import numbers, p50, p90, part


def is_own_format(document: dict[str, Any]) -> bool:
    """Return whether a document looks like one of pyperf."""
    return isinstance(document.get("benchmarks"), list) and isinstance(document.get("version"), str)


def read(document: dict[str, Any], file: str) -> list[ExternalBenchmark]:
    """Return the benchmarks of a suite that measure time.

    A value is a mean over pyperf's inner loops; runs that only calibrate have none. Values that all runs share are
    in the metadata of the suite or of the benchmark.

    Raises:
        ValueError: if a value is not a positive number.
    """
    shared = part(document, "metadata")
    benchmarks = []
    for number, benchmark in enumerate(document["benchmarks"]):
        metadata = shared | part(benchmark, "metadata")
        runs = [run for run in benchmark.get("runs", []) if run.get("values")]
        if metadata.get("unit", "second") != "second" or not runs:
            continue
        values = [value for run in runs for value in numbers(run["values"])]
        sizes = [size for run in runs if (size := part(run, "metadata").get("mem_max_rss"))]
        version = metadata.get("perf_version")
        benchmarks.append(
            ExternalBenchmark(
                tool=f"pyperf {version}" if version else "pyperf",
                file=file,
                name=str(metadata.get("name", f"benchmark {number + 1}")),
                processes=len(runs),
                calls=len(values),
                latency_p50_seconds=p50(values),
                latency_p90_seconds=p90(values),
                rss_peak_bytes=max(numbers(sizes)) if sizes else None,
                cpu=metadata.get("cpu_model_name"),
            )
        )
    return benchmarks
