"""python -m tests.sweep.slots.box REQUEST: a made-up box, which sleeps instead of measuring, or is a partner."""

from __future__ import annotations

import json
import math
import random
import sys
import time
from pathlib import Path
from typing import Any

from runner.trial.turns import TO_PARTNER

_CALLS = 20
_COST_OF_A_NEIGHBOUR = 1.05


def main() -> None:
    """Write what a trial writes; say where it stands only by how long its calls took."""
    request = json.loads(Path(sys.argv[1]).read_text())
    output = Path(request["paths"]["output"])
    if request["partner"]:
        with (output / TO_PARTNER).open("rb") as pipe:
            (output / "ready").touch()
            pipe.read()
        return
    time.sleep(request["seconds"])
    (output / "measured.json").write_text(json.dumps(_measured(output.parent.name, request)))


def _measured(trial: str, request: dict[str, Any]) -> dict[str, Any]:
    chance = random.Random(trial)
    neighbour = _COST_OF_A_NEIGHBOUR if request["beside"] else 1.0
    latency = 0.01 * neighbour * math.exp(chance.gauss(0, 0.005))
    return {
        "latency_p50_seconds": latency,
        "latency_p90_seconds": latency,
        "latency_p95_seconds": latency,
        "latency_p99_seconds": latency,
        "latency_mean_seconds": latency,
        "calls": _CALLS,
        "samples": {"latency_seconds": [latency] * _CALLS, "batch": [0] * _CALLS, "turn": [0] * _CALLS},
        "box_cpus": ",".join(map(str, request["cpus"])),
    }


if __name__ == "__main__":
    main()
