"""Collected sweeps as tables, made from a few numbers per job: nothing is written or read."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from runner.results.schema import LOAD, MEMORY, PREDICTIONS, RESULTS, SAMPLES, SUMMARY
from runner.results.statistics import noise_floor
from runner.results.tables import Tables
from tests.results.in_memory import in_memory

TEXTS = tuple(f"text {i}" for i in range(200))


@dataclass(frozen=True)
class Job:
    """One job: what its trials measure, and its `wrong` first predictions."""

    technique: str
    latency_ratio: float = 1.0  # to the baseline
    threads: int = 1
    disk_bytes: int = 90_000_000
    rss_bytes: float = 5e8  # of its own
    load_seconds: float = 1.0
    wrong: int = 40
    failure: str | None = None  # the status of all its trials
    setting: str = ""  # anything else that makes another key

    @property
    def key(self) -> str:
        return f"m_{self.technique}_t{self.threads}{self.setting}"


FILE_BYTES = 150_000_000  # what libraries map

BASELINE = Job("torch-eager")
JOBS = (BASELINE, Job("onnx", 0.6, rss_bytes=4e8), Job("onnx-int8", 0.3, disk_bytes=23_000_000, wrong=44))


def sweep(
    jobs: Sequence[Job] = JOBS,
    *,
    seed: int = 0,
    rounds: int = 8,
    noise: float = 0.01,
    machine: float = 1.0,
    page_cache: float = 1.0,
    memory_shift: float = 1.0,
    load_shift: float = 1.0,
    texts: Sequence[str] = TEXTS,
    labelled: bool = True,
    isolation: str = "docker",
    folder: Path = Path("outputs/x"),
    **environment: Any,
) -> Tables:
    """Return a sweep of these jobs.

    Args:
        jobs: the first of each number of threads is the baseline.
        seed: of the noise.
        rounds: all counted.
        noise: standard deviation of a round's log latency ratio; that of other times is ten times larger, that of
            memory a third.
        machine: how slow the machine is.
        page_cache: how much more resident memory all jobs have than usual.
        memory_shift, load_shift: how much more memory of their own and time to load all jobs need than usual.
        texts, labelled: of the task; the label of each text is "yes".
        isolation: of every job.
        folder: of the sweep.
        environment: of the manifest.
    """
    chance = random.Random(seed)
    baselines = {job.threads: job.key for job in reversed(jobs)}
    results, summary, predictions = [], [], []
    floors = {}
    for job in jobs:
        baseline = job.key == baselines[job.threads]
        identity = {"sweep": "demo", "job": job.key, "model": "m", "family": "m", "technique": job.technique}
        identity |= {"task": "tweets", "workload": "online", "threads": job.threads, "isolation": isolation}
        identity |= {"weights": "trained", "batch_size": 1, "artifact": f"{job.technique}{job.wrong}"}
        identity |= {"baseline_job": baselines[job.threads], "disk_bytes": job.disk_bytes}
        logs = [math.log(job.latency_ratio) + noise * chance.gauss(0, 1) for _ in range(rounds)]
        if baseline:
            floors[job.threads] = noise_floor(logs)
        for round_, log in enumerate(logs):
            time = 0.02 * machine * math.exp(log + 10 * noise * chance.gauss(0, 1))
            own = int(job.rss_bytes * memory_shift * math.exp(noise / 3 * chance.gauss(0, 1)))
            results.append(
                identity
                | {"round": round_, "role": "baseline" if baseline else "variant", "status": job.failure or "ok"}
                | {"started_at": "2026-01-01T00:00:00Z", "included": True, "latency_ratio": math.exp(log)}
                | {"latency_p50_seconds": time, "first_call_seconds": 2 * time}
                | {"load_seconds": job.load_seconds * load_shift * machine * math.exp(10 * noise * chance.gauss(0, 1))}
                | {"rss_anon_peak_bytes": own, "rss_peak_bytes": int((own + FILE_BYTES) * page_cache)}
                | {"reference_seconds": 0.01 * machine * math.exp(10 * noise * chance.gauss(0, 1))}
                | {"box_cpu_model": environment.get("cpu_model", "Test CPU"), "box_instruction_sets": "avx2"}
            )
        ok = 0 if job.failure else rounds
        summary.append(
            identity
            | {"status": job.failure or "ok", "trials_planned": rounds, "trials_ok": ok, "trials_missing": 0}
            | {"noise_floor": floors[job.threads], "examples": len(texts)}
            | {"accuracy": 1 - job.wrong / len(texts) if labelled else None}
        )
        for example, text in enumerate(texts):
            predicted = "no" if example < job.wrong else "yes"
            label = "yes" if labelled else None
            row = {"example": example, "of_text": example, "text": text, "label": label}
            predictions.append(identity | row | {"prediction": predicted})
    machine_facts = {"cpu_model": "Test CPU", "cores": 2, "image_id": "sha256:1", "versions": {"torch": "2.13.0"}}
    manifest = {"schema": 2, "sweep": "demo", "rounds": rounds, "seed": 0, "isolation": isolation}
    return Tables(
        folder=folder,
        results=pa.Table.from_pylist(results, schema=RESULTS),
        summary=pa.Table.from_pylist(summary, schema=SUMMARY),
        samples=in_memory("samples", SAMPLES.empty_table()),
        memory=in_memory("memory", MEMORY.empty_table()),
        load=in_memory("load", LOAD.empty_table()),
        predictions=in_memory("predictions", pa.Table.from_pylist(predictions, schema=PREDICTIONS)),
        manifest=manifest | {"measure": {"name": "default"}, "environment": machine_facts | environment},
    )
