"""Sweeps to choose from, and limits to choose by."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.results.synthetic import BASELINE, DEMO, Job

#: The demo, with two threads and variants near enough to be mixed up.
JOBS = (
    *DEMO,
    Job("near-a", 0.0365, disk_bytes=30_000_000, rss_bytes=200_000_000, flips=0.3),
    Job("near-b", 0.0370, disk_bytes=45_000_000, rss_bytes=210_000_000, flips=0.8),
    Job("torch-eager", 0.07, threads=2),
    Job("onnx-int8", 0.025, threads=2, disk_bytes=23_000_000, rss_bytes=190_000_000, flips=0.5),
    Job("broken", 0.001, failure=("oom", "killed at 4.0 GiB", (0, 1, 2))),
)
assert JOBS[0] is BASELINE

_RANGES = {
    "p90_seconds": (0.02, 0.14),
    "disk_bytes": (20e6, 95e6),
    "rss_bytes": (170e6, 520e6),
    "score": (0.4, 0.9),
    "negative_flips": (0.0, 0.3),
}


def random_limits(count: int, seed: int = 0) -> Iterator[dict[str, float]]:
    """Yield limits around what JOBS measure; some are not set."""
    chance = random.Random(seed)
    for _ in range(count):
        yield {name: chance.uniform(*ends) for name, ends in _RANGES.items() if chance.random() < 0.5}
