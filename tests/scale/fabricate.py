"""A sweep folder of very many trials, as a real sweep would leave it, made up in seconds.

A grid of that size is a product: families × workloads × threads, each with the same techniques. Every job's trials take
100 timed calls; those with one thread take turns with a partner, whose calls are recorded beside them.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np

from runner.config.schema import MeasureConfig
from runner.results.records.plan import trial_name
from runner.store.sweep_folder import SCHEMA, SweepFolder
from tests.results.synthetic import LABELS, LIMITS, Job, trial_content

ROUNDS, TECHNIQUES, CALLS, TEXTS = 10, 100, 100, 800
_THREADS, _WORKLOADS = (1, 2), ("online", "short", "long", "batch-8", "batch-32")
_TRIALS_OF_BLOCK = ROUNDS * (TECHNIQUES + 1)  # the baseline runs first and last
_PHASES = {"import": 6, "load": 20, "first call": 4, "warm-up": 4, "timed": 2}  # samples of memory in each
_WORDS = ["the", "model", "page", "was", "quick", "rather", "good", "but", "not", "as", "small", "could", "wish", "it"]


@dataclass(frozen=True)
class Block:
    """The jobs that share a baseline, the first of them."""

    number: int
    family: str
    workload: str
    threads: int

    @property
    def jobs(self) -> list[Job]:
        """Return its jobs, the baseline first; each is a little faster and smaller than the one before."""
        base = Job("torch-eager", 0.02, model=self.family, threads=self.threads)
        shrunk = (0.985**number for number in range(TECHNIQUES))
        return [base] + [
            replace(
                base,
                technique=f"technique-{number:02}",
                latency_seconds=base.latency_seconds * by,
                disk_bytes=int(base.disk_bytes * by),
                rss_bytes=int(base.rss_bytes * by),
                flips=max(0, number - TECHNIQUES // 5) / 160,  # a fifth computes what the baseline does
            )
            for number, by in islice(enumerate(shrunk), 1, None)
        ]

    def key(self, job: Job) -> str:
        """Return the key of one of its jobs."""
        return f"{self.family}_{job.technique}_{self.workload}_t{self.threads}-{self.number:06x}"


def fabricate(folder: Path, trials: int, seed: int, twin: Path | None = None) -> int:
    """Write plan, trials and predictions of a sweep of about so many trials; return how many they are.

    Args:
        folder: of the sweep.
        trials: at least those of one block, some thousand.
        seed: of its chance; two sweeps of one size have the same plan.
        twin: a sweep of that size that measured the same artifacts: its predictions are these, too.
    """
    blocks = list(islice(_blocks(), max(1, round(trials / _TRIALS_OF_BLOCK))))
    planned = [one for number in range(ROUNDS) for block in blocks for one in _round(block, number)]
    jobs = [record for block in blocks for record in _records(block)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "predictions").mkdir()
    (folder / "plan.json").write_text(json.dumps(_plan(folder.name, jobs, planned), indent=1))
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(partial(_write_trials, folder, seed), blocks):
            pass
        for _ in pool.map(
            partial(_link_predictions, folder, twin) if twin else partial(_write_predictions, folder), blocks
        ):
            pass
    return len(planned)


def _blocks() -> Any:
    """Yield blocks without end; the families are counted."""
    number = 0
    while True:
        family = f"model-{number // (len(_WORKLOADS) * len(_THREADS)):03}"
        for workload, threads in product(_WORKLOADS, _THREADS):
            yield Block(number, family, workload, threads)
            number += 1


def _round(block: Block, number: int) -> list[dict[str, Any]]:
    """Return one round of a block as it is planned."""
    base, *variants = (block.key(job) for job in block.jobs)
    order = np.random.default_rng([number, block.number]).permutation(len(variants))
    roles = [(base, "baseline-first"), *((variants[i], "variant") for i in order), (base, "baseline-last")]
    return [
        {"job": job, "round": number, "position": i, "role": role, "baseline": base}
        for i, (job, role) in enumerate(roles)
    ]


def _records(block: Block) -> list[dict[str, Any]]:
    return [
        {"job": block.key(job), "model": job.model, "technique": job.technique, "threads": block.threads}
        | {**_identity(block), "baseline": block.key(block.jobs[0])}
        for job in block.jobs
    ]


def _identity(block: Block) -> dict[str, Any]:
    return {
        "family": block.family,
        "task": "tweets",
        "workload": block.workload,
        "isolation": "docker",
        "weights": "trained",
    }


def _plan(name: str, jobs: list[dict[str, Any]], planned: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "sweep": name,
        "overrides": [f"grid={name}"],
        "grid": {"union": [{"technique": "all"}]},
        "seed": 0,
        "isolation": "docker",
        "isolation_note": None,
        "measure": {**asdict(MeasureConfig()), "rounds": ROUNDS, "limits": LIMITS},
        "jobs": jobs,
        "trials": planned,
        "environment": {"cpu_model": "Test CPU", "cores": 2, "memory_bytes": 8 << 30, "kernel": "6.1.0"},
    }


def _write_trials(folder: Path, seed: int, block: Block) -> None:
    chance = np.random.default_rng([seed, block.number])
    by_key = {block.key(job): job for job in block.jobs}
    memory = {key: _memory(job) for key, job in by_key.items()}
    base = block.jobs[0].latency_seconds
    for number in range(ROUNDS):
        for planned in _round(block, number):
            job = by_key[planned["job"]]
            identity = {
                "schema": SCHEMA,
                "sweep": folder.name,
                "batch_size": 1,
                "seed": 0,
                "padding": "longest",
                "max_length": 128,
                "baseline_job": block.key(block.jobs[0]),
                "model": job.model,
                "technique": job.technique,
                "threads": block.threads,
                **_identity(block),
                **planned,
            }
            speed = chance.normal(1, 0.1, CALLS).clip(0.5)  # the machine's own, which both sides meet
            own, partner = (centre * speed * chance.normal(1, 0.02, CALLS) for centre in (job.latency_seconds, base))
            content = trial_content(
                identity,
                job,
                own.tolist(),
                partner.tolist() if block.threads == 1 else None,
                memory[planned["job"]],
            )
            path = SweepFolder(folder).trial(trial_name(planned["job"], number, planned["role"]))
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(content))


def _memory(job: Job) -> dict[str, list[Any]]:
    phases = [phase for phase, samples in _PHASES.items() for _ in range(samples)]
    shares = np.linspace(0.02, 1, len(phases))
    seconds = (0.01 * np.arange(len(phases))).round(4)
    return {"phase": phases, "seconds": seconds.tolist(), "rss_bytes": (job.rss_bytes * shares).astype(int).tolist()}


def _link_predictions(folder: Path, twin: Path, block: Block) -> None:
    for name in (f"{block.key(job)}.json" for job in block.jobs):
        (folder / "predictions" / name).hardlink_to(twin / "predictions" / name)


def _write_predictions(folder: Path, block: Block) -> None:
    """Write one file per job, as preparing does: labels are known, and logits lean towards them.

    Neither the seed nor the threads change what an artifact predicts.
    """
    chance = np.random.default_rng([1, block.number // len(_THREADS)])
    words = np.random.default_rng(2).integers(0, len(_WORDS), (TEXTS, 12))
    texts = [f"{number} " + " ".join(_WORDS[word] for word in row) for number, row in enumerate(words)]
    truth = np.random.default_rng(3).integers(0, len(LABELS), TEXTS)
    base = 1.5 * np.eye(len(LABELS))[truth] + chance.normal(size=(TEXTS, len(LABELS)))
    for place, job in enumerate(block.jobs):
        logits = (base + job.flips * chance.normal(size=base.shape)).astype(np.float32)
        content = {
            "schema": SCHEMA,
            "artifact": f"{block.number // len(_THREADS) // len(_WORKLOADS):04x}{place:04x}" + "a" * 56,
            "model": job.model,
            "technique": job.technique,
            "weights": "trained",
            **_identity(block),
            "jobs": [block.key(job)],
            "labels": LABELS,
            "texts": texts,
            "label": truth.tolist(),
            "logits": logits.tolist(),
            "batch_sensitivity": {},
            "lineage": [{"step": "onnx-export", "config": {"opset": 17}, "seconds": 1.0, "notes": {}}],
        }
        (folder / "predictions" / f"{block.key(job)}.json").write_text(json.dumps(content))
