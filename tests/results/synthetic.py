"""Writes sweep folders as a real sweep would leave them, from a few numbers per job."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.schema import DisturbanceLimits
from runner.results.statistics import TAILS
from runner.store.sweep_folder import SCHEMA

LABELS = ["negative", "neutral", "positive"]
OPEN = {"load": "open", "workers": 1, "max_batch_size": 1, "max_wait_seconds": 0.0}
OPEN |= {"slo_percentile": 99.0, "slo_seconds": 0.05}
LIMITS = asdict(DisturbanceLimits())
TOKENIZE_SECONDS = 1e-4


@dataclass(frozen=True)
class Job:
    """One job and what its trials measure. `failure` is its status, its error and the rounds that fail."""

    technique: str
    latency_seconds: float = 0.1
    model: str = "minilm-l6"
    threads: int = 1
    disk_bytes: int = 90_000_000
    compressed_bytes: int | None = 80_000_000
    masked: bool = False
    int8_weight_bits: int | None = 0
    rss_bytes: int = 500_000_000
    load_seconds: float = 1.0
    capacity_per_second: float | None = None  # None for a closed load
    flips: float = 0.0  # how far the logits are moved from the baseline's
    failure: tuple[str, str, tuple[int, ...]] | None = None

    @property
    def key(self) -> str:
        """The job's key, usable as the name of a folder."""
        safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in f"{self.model}_{self.technique}")
        return f"{safe}_t{self.threads}"


BASELINE = Job("torch-eager")
DEMO = (
    BASELINE,
    Job("onnx", 0.08, rss_bytes=420_000_000, load_seconds=0.3, flips=0.01),
    Job("onnx-int8", 0.036, disk_bytes=23_000_000, rss_bytes=180_000_000, load_seconds=0.1, flips=0.5),
    Job("torchscript", 0.1002, rss_bytes=470_000_000, load_seconds=0.6),
    Job("heads-50", 0.12, disk_bytes=80_000_000, flips=1.5),
)


def write_sweep(
    folder: Path,
    jobs: Sequence[Job] = DEMO,
    *,
    name: str = "demo",
    rounds: int = 3,
    task: str = "tweets",
    family: str = "minilm-l6",
    labels: Sequence[str] = LABELS,
    weights: str = "trained",
    isolation: str = "docker",
    texts: Sequence[str] = tuple(f"text {i}" for i in range(60)),
    noise: float = 0.01,
    batch_size: int = 1,
    seed: int = 0,
) -> Path:
    """Write plan.json, every trial and the predictions, and return the folder.

    The baseline of each number of threads is the first job of that number. `noise` is the standard deviation of a
    trial's latency as a fraction.
    """
    chance = random.Random(seed)
    identity = {"family": family, "task": task, "workload": "b1", "isolation": isolation}
    baselines = {job.threads: job.key for job in reversed(jobs)}
    planned = []
    for round_ in range(rounds):
        firsts = [(job, "baseline-first") for job in jobs if job.key in baselines.values()]
        variants = [(job, "variant") for job in jobs if job.key not in baselines.values()]
        lasts = [(job, "baseline-last") for job, _ in firsts]
        for position, (job, role) in enumerate([*firsts, *variants, *lasts]):
            baseline = next(one for one in jobs if one.key == baselines[job.threads])
            trial = {"job": job.key, "round": round_, "position": position, "role": role}
            planned.append(trial | {"baseline": baseline.key})
            common = {"model": job.model, "technique": job.technique, "threads": job.threads}
            _write_trial(
                folder,
                {"schema": SCHEMA, "sweep": name, "weights": weights, "batch_size": batch_size, "seed": seed}
                | {"padding": "longest", "max_length": 128, "baseline_job": baseline.key}
                | {**identity, **common, **trial},
                job,
                job.latency_seconds * (1 + noise * chance.gauss(0, 1)),
                None if baseline.failure else baseline.latency_seconds * (1 + noise * chance.gauss(0, 1)),
            )
    plan = {
        "schema": SCHEMA,
        "sweep": name,
        "overrides": [f"grid={name}"],
        "grid": {"union": [{"technique": "all"}]},
        "seed": seed,
        "isolation": isolation,
        "isolation_note": "no engine answered" if isolation == "process" else None,
        "measure": {"rounds": rounds, "reruns": 2, "timed_seconds": 1.0, "limits": LIMITS},
        "jobs": [
            {"job": job.key, "model": job.model, "technique": job.technique, "threads": job.threads}
            | {**identity, "weights": weights, "baseline": baselines[job.threads]}
            | ({} if job.capacity_per_second is None else OPEN)
            for job in jobs
        ],
        "trials": planned,
        "environment": {
            "image_id": "sha256:" + "1" * 64 if isolation == "docker" else None,
            "cpu_model": "Test CPU",
            "cores": 2,
            "memory_bytes": 8 << 30,
            "kernel": "6.1.0",
            "python": "3.11.7",
            "versions": {"torch": "2.13.0"},
        },
    }
    _write(folder / "plan.json", plan)
    _write_predictions(folder, jobs, identity, weights, list(labels), list(texts), seed)
    return folder


def trial_file(sweep: Path, job: Job, round_: int = 0, role: str = "variant") -> Path:
    """Return the path of one trial's file."""
    return sweep / "trials" / f"{job.key}-r{round_}-{role}" / "trial.json"


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    _write(path, json.loads(path.read_text()) | changes)


def _write_trial(folder: Path, identity: dict[str, Any], job: Job, p50: float, partner_p50: float | None) -> None:
    path = trial_file(folder, job, identity["round"], identity["role"])
    status, error, failing = job.failure or ("ok", None, ())
    if identity["round"] in failing:
        log = f"trials/{path.parent.name}/log.txt"
        _write(path, _head(identity) | {"status": status, "error": error, "log": log})
        return
    spread = [0.9 + 0.2 * i / 30 for i in range(31)]
    own, partner = ([centre * factor for factor in spread] for centre in (p50, partner_p50 or 0.0))
    content = trial_content(identity, job, own, partner if partner_p50 else None, _memory(job))
    tails = {f"latency_p{tail}_seconds": (0.9 + 0.002 * tail) * p50 for tail in TAILS}
    load = {} if job.capacity_per_second is None else _of_open_load(job.capacity_per_second, job.latency_seconds / p50)
    _write(path, content | tails | load | {"latency_p50_seconds": p50, "latency_mean_seconds": p50})


def _of_open_load(capacity: float, noise: float) -> dict[str, Any]:
    """Return what the file of a trial says of an open load, with probes below, at and above the capacity."""
    top = capacity or 10.0
    probes = [{"scenario": "offline", "seed": 0, "completed_per_second": 1.3 * noise * top}]
    for share in (0.8, 1.0, 1.1):
        latency = 0.05 * share**8 if capacity else 0.2
        probe = {"scenario": "server", "seed": 0, "asked_per_second": share * top, "queries": 300}
        percentiles = {f"latency_p{p}_seconds": latency * factor for p, factor in ((50, 0.3), (90, 0.6), (99, 1.0))}
        probes.append(probe | percentiles | {"slo_latency_seconds": latency, "rejected": 0, "holds": latency <= 0.05})
    return {
        "capacity_per_second": noise * capacity,
        "offline_per_second": probes[0]["completed_per_second"],
        "capacity_reason": None if capacity else "no rate keeps the objective",
        "probes": probes,
    }


def trial_content(
    identity: dict[str, Any],
    job: Job,
    latencies: list[float],
    partner: list[float] | None,
    memory: dict[str, list[Any]],
) -> dict[str, Any]:
    """Return the content of an ok trial's file.

    Args:
        identity: what a trial is: job, round, role and so on.
        latencies: of its calls, in seconds.
        partner: those of its partner; None where it had none.
        memory: samples of resident memory: lists `phase`, `seconds` and `rss_bytes`.
    """
    ordered, calls = sorted(latencies), len(latencies)
    p50, whole = ordered[calls // 2], sum(latencies)
    tails = {f"latency_p{tail}_seconds": float(np.percentile(latencies, tail)) for tail in TAILS}
    return (
        _head(identity)
        | {
            "status": "ok",
            "error": None,
            "log": None,
            "artifact_format": "onnx",
            "disk_bytes": job.disk_bytes,
            "compressed_bytes": job.compressed_bytes,
            "masked": job.masked,
            "int8_weight_bits": job.int8_weight_bits,
        }
        | {"import_seconds": 0.5, "load_seconds": job.load_seconds, "first_call_seconds": 2 * p50}
        | {"warmup_seconds": 1.0, "warmup_calls": 10, "timed_seconds": whole, "calls": calls}
        | {"elapsed_seconds": 1.01 * whole}
        | tails
        | {"latency_p50_seconds": p50, "latency_mean_seconds": whole / calls}
        | {"tokenize_p50_seconds": TOKENIZE_SECONDS, "engine_p50_seconds": p50 - TOKENIZE_SECONDS}
        | {"engine_mean_seconds": whole / calls - TOKENIZE_SECONDS}
        | {"examples_per_second": 1 / p50, "tokens_per_second": 20 / p50}
        | {"useful_tokens": 620, "padded_tokens": 620, "box_peak_bytes": None}
        | {"rss_import_bytes": job.rss_bytes // 4, "rss_load_bytes": job.rss_bytes // 2}
        | {"rss_first_call_bytes": job.rss_bytes, "rss_peak_bytes": job.rss_bytes, "rss_peak_tokens": 64}
        | {"rss_anon_peak_bytes": job.rss_bytes * 3 // 4, "rss_file_bytes": job.rss_bytes // 4}
        | {"cpu_seconds": whole, "partner_seconds": sum(partner or [0.0])}
        | {"partner_start_seconds": 0.0, "box_seconds": 4.5, "process_seconds": 4.0}
        | {"waiting_seconds": 0.0, "unsettled_turns": 0 if partner else None}
        | {"steal_seconds": 0.0, "throttled_periods": 0, "involuntary_switches": 3, "reference_seconds": 0.01}
        | {
            "box_cpus": "1",
            "box_cgroup_version": 1,
            "box_memory_limit_bytes": 4 << 30,
            "box_engine_threads": identity["threads"],
            "box_os_threads": 3,
            "box_cpu_model": "Test CPU",
            "box_kernel": "6.1.0",
            "box_instruction_sets": "avx2 avx512f",
            "box_engine": json.dumps({"onnxruntime": "1.32.0"}),
            "box_rest": json.dumps({"uid": 1000}),
            "samples": {"latency_seconds": latencies, "tokenize_seconds": [TOKENIZE_SECONDS] * calls}
            | {"batch": [i % 8 for i in range(calls)], "turn": [i // 4 for i in range(calls)]},
            "partner_latency_seconds": partner,
            "partner_tokenize_seconds": [TOKENIZE_SECONDS] * calls if partner else None,
            "memory": memory,
        }
    )


def _head(identity: dict[str, Any]) -> dict[str, Any]:
    return identity | {"started_at": "2026-01-01T00:00:00Z", "wall_seconds": 5.0, "artifact": "a" * 64}


def _memory(job: Job) -> dict[str, list[Any]]:
    ends = {"import": 0.25, "load": 0.8, "first call": 1.0, "warm-up": 0.9, "timed": 0.9}
    phases, seconds, rss = [], [], []
    clock, level = 0.0, 0.02
    for phase, share in ends.items():
        steps = max(2, int(20 * (job.load_seconds if phase == "load" else 0.5)))
        for step in range(steps):
            phases.append(phase)
            seconds.append(round(clock, 4))
            rss.append(int(job.rss_bytes * (level + (share - level) * step / (steps - 1))))
            clock += 0.05
        level = share
    return {"phase": phases, "seconds": seconds, "rss_bytes": rss}


def _write_predictions(
    folder: Path,
    jobs: Sequence[Job],
    identity: dict[str, Any],
    weights: str,
    labels: list[str],
    texts: list[str],
    seed: int,
) -> None:
    """Write one file per model × technique; the logits lean towards the true label."""
    classes = len(labels) or 3
    chance = random.Random(seed + 1)
    truth = [chance.randrange(classes) for _ in texts]
    base = [[(1.5 if k == t else 0.0) + chance.gauss(0, 1) for k in range(classes)] for t in truth]
    for model, technique in dict.fromkeys((job.model, job.technique) for job in jobs):
        same = [job for job in jobs if (job.model, job.technique) == (model, technique)]
        moved = random.Random(seed + 2)
        logits = [[x + same[0].flips * moved.gauss(0, 1) for x in row] for row in base]
        _write(
            folder / "predictions" / f"{same[0].key}.json",
            {"schema": SCHEMA, "artifact": "a" * 64, "model": model, "technique": technique, "weights": weights}
            | {"family": identity["family"], "task": identity["task"], "workload": identity["workload"]}
            | {"jobs": [job.key for job in same], "labels": labels, "texts": texts}
            | {"label": truth if labels else [None] * len(texts), "logits": logits},
        )


def _write(path: Path, content: Any) -> None:
    """Write a file whole, as a sweep does: some tests read while they write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    part.write_text(json.dumps(content))
    part.rename(path)
