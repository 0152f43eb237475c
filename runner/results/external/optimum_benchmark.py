"""Results of optimum-benchmark: its `benchmark_report.json`, or `benchmark.json`, which has the config beside it."""

from __future__ import annotations

from typing import Any

from runner.results.external.measured import ExternalBenchmark
from runner.results.external.values import numbers, p50, p90, part

_CALLS = ("forward", "call", "prefill", "decode", "per_token")  # the targets that it can time, by its own names
_UNITS = {"MB": 10**6, "MiB": 2**20, "B": 1}


def is_own_format(document: dict[str, Any]) -> bool:
    """Return whether a document looks like one of optimum-benchmark."""
    report = document.get("report", document)
    return isinstance(report, dict) and any(isinstance(report.get(name), dict) for name in _CALLS)


def read(document: dict[str, Any], file: str) -> list[ExternalBenchmark]:
    """Return one benchmark for each target that was timed (forward, prefill …).

    Raises:
        ValueError: if a value is not a positive number, or a unit is unknown.
    """
    report, config = document.get("report", document), part(document, "config")
    environment, backend = part(config, "environment"), part(config, "backend")
    model = " · ".join(str(backend[key]) for key in ("model", "name") if backend.get(key))
    version = environment.get("optimum_benchmark_version")
    load = part(part(report, "load_model"), "latency").get("values")
    benchmarks = []
    for target in _CALLS:
        latency = part(part(report, target), "latency")
        if not latency.get("values"):
            continue
        if latency.get("unit", "s") != "s":
            raise ValueError(f"latency is in {latency['unit']}, expected s")
        values = numbers(latency["values"])
        benchmarks.append(
            ExternalBenchmark(
                tool=f"optimum-benchmark {version}" if version else "optimum-benchmark",
                file=file,
                name=" · ".join(filter(None, [str(config.get("name") or ""), model, target])),
                processes=1,
                calls=len(values),
                latency_p50_seconds=p50(values),
                latency_p90_seconds=p90(values),
                examples_per_second=_rate(part(part(report, target), "throughput")),
                rss_peak_bytes=_bytes(part(part(report, target), "memory")),
                load_seconds=numbers(load)[0] if load else None,
                cpu=str(environment["cpu"]).strip() if environment.get("cpu") else None,
            )
        )
    return benchmarks


def _rate(throughput: dict[str, Any]) -> float | None:
    return numbers([throughput["value"]])[0] if throughput.get("unit") == "samples/s" else None


def _bytes(memory: dict[str, Any]) -> float | None:
    if memory.get("max_ram") is None:
        return None
    if memory.get("unit") not in _UNITS:
        raise ValueError(f"memory is in {memory.get('unit')}, expected one of {', '.join(_UNITS)}")
    return numbers([memory["max_ram"]])[0] * _UNITS[memory["unit"]]
