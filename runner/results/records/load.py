"""What a probe of an open load measures: a row of load.parquet.

It is written inside a box, so it is a plain dataclass, as the records in measured.py are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated


@dataclass(init=False, eq=False, repr=False)
class Probe:
    """Requests that arrived at one rate for some seconds, and how they were answered."""

    scenario: Annotated[
        str | None, "LoadGen's scenario: 'server' for random arrivals at a rate, 'offline' for all requests at once."
    ] = None
    seed: Annotated[int | None, "Seed of the arrivals and of the texts."] = None
    asked_per_second: Annotated[float | None, "Rate of the arrivals that was asked for; null if offline."] = None
    scheduled_per_second: Annotated[float | None, "Rate at which the requests were scheduled; null if offline."] = None
    completed_per_second: Annotated[float | None, "Rate at which requests were answered."] = None
    seconds: Annotated[float | None, "Duration of the probe."] = None
    queries: Annotated[int | None, "Number of requests."] = None
    completed: Annotated[int | None, "Number of requests that were answered."] = None
    rejected: Annotated[int | None, "Number of requests that were rejected because the queue was full."] = None
    latency_p50_seconds: Annotated[
        float | None, "Median latency of the answered requests, from the scheduled arrival to the answer."
    ] = None
    latency_p90_seconds: Annotated[float | None, "90th percentile of this latency."] = None
    latency_p99_seconds: Annotated[float | None, "99th percentile of this latency."] = None
    latency_p999_seconds: Annotated[float | None, "99.9th percentile of this latency."] = None
    slo_latency_seconds: Annotated[
        float | None,
        "Latency at the percentile of the objective, where a rejected request counts as infinite; null if the "
        "percentile falls on a rejected request.",
    ] = None
    mean_batch: Annotated[float | None, "Mean number of requests in a call of the engine."] = None
    mean_queue: Annotated[float | None, "Mean number of requests that waited when another one arrived."] = None
    max_queue: Annotated[int | None, "Largest number of requests that waited when another one arrived."] = None
    service_cpu_seconds: Annotated[float | None, "CPU time that the processes of the service used."] = None
    service_waiting_seconds: Annotated[
        float | None,
        "Time for which the workers were ready to run but had no CPU, because something else ran on their cores; null "
        "where not known.",
    ] = None
    generator_late_seconds: Annotated[
        float | None, "99th percentile of the time by which the load generator issued a request too late."
    ] = None
    generator_cpu_seconds: Annotated[float | None, "CPU time that the load generator used."] = None
    holds: Annotated[bool | None, "Whether the objective was kept; null if offline."] = None
