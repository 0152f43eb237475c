"""`python -m runner` on a made-up machine: two last-level caches of two cores each, and boxes that only sleep.

All else is real: planning, rounds, the processes of slots and of boxes, files, tables, the report. Nothing is pinned.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import runner.__main__
import runner.sweep.prepare_all
from runner.config.schema import Config
from runner.isolation import choose, exclusive, process
from runner.isolation.box import BoxEnd, BoxOrder
from runner.machine import topology
from runner.results.records.measured import to_json
from runner.results.records.prepared import PreparedJob
from runner.store.artifacts import folder_sha256
from runner.store.sweep_folder import SweepFolder
from runner.sweep.slots import launch
from runner.sweep.slots.slot import Slot, slots_beside
from tests.patience import PATIENCE_SECONDS
from tests.sweep.slots.topology import show_cpus

ROOT = Path(__file__).parents[3]
CACHES = [[0, 1], [2, 3]]
_BOX_SECONDS = 0.2


def start(place: Path, *arguments: str, behaviour: str = "") -> subprocess.Popen[str]:
    """Start a sweep of two techniques, or go on with it; its folder is `sweep` in `place`, an existing folder.

    Args:
        behaviour: fail: variants crash; hang: they do not end; full: the disk is, from the first variant on.
    """
    grid = ["grid=smoke", "grid.union=[{technique: [torch-eager, onnx]}]", "isolation=process", "measure.rounds=3"]
    command = [sys.executable, "-m", "tests.sweep.slots.command", "-m", *grid, f"hydra.sweep.dir={place / 'sweep'}"]
    environment = os.environ | {"PLACE": str(place), "BEHAVIOUR": behaviour}
    return subprocess.Popen(
        [*command, f"store={place / 'store'}", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class SleepingBox(process.ProcessBox):
    """A process box, in which nothing of a model runs."""

    def run(self, order: BoxOrder) -> BoxEnd:
        """Run tests/sweep/slots/box.py in it."""
        partner = order.module == "runner.trial.partner"
        if "-variant" in str(order.output):
            if os.environ["BEHAVIOUR"] == "full":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(order.output))
            if os.environ["BEHAVIOUR"] == "fail":
                return BoxEnd(1, False, False, "it broke")
        hangs = os.environ["BEHAVIOUR"] == "hang" and "-variant" in str(order.output)
        seconds = PATIENCE_SECONDS if hangs else _BOX_SECONDS
        request = order.request | {"partner": partner, "seconds": seconds, "beside": slots_beside()}
        return super().run(replace(order, module="tests.sweep.slots.box", request=request))


def _prepare(cfg: Config, key: str, folder: SweepFolder, cores: list[int]) -> None:
    path = folder.prepared(key)
    nothing = path.parent / folder_sha256(folder.path / "nothing")  # as the store names what is empty
    nothing.mkdir(parents=True, exist_ok=True)
    folder.write(path, to_json(PreparedJob("ok", artifact_path=str(nothing), inputs_path=str(nothing))))


def _make_up(place: Path) -> None:
    """Take the place of the machine."""
    may_use = {cpu for shared in CACHES for cpu in shared}

    def pin(slot: Slot) -> None:
        may_use.intersection_update(slot.cpus)  # in the slot's own process

    replaced: list[tuple[Any, str, Any]] = [
        (os, "sched_getaffinity", lambda _: set(may_use)),
        (launch, "_pin", pin),
        (process, "_pin", lambda cpus, parent: process.die_with(parent)),
        (topology, "_CPUS", show_cpus(place / "cpus", CACHES)),
        (exclusive, "CORES", place),
        (runner.sweep.prepare_all, "prepare_job", _prepare),
        (choose, "ProcessBox", SleepingBox),
    ]
    for module, name, made_up in replaced:
        setattr(module, name, made_up)


if __name__ == "__main__":
    _make_up(Path(os.environ["PLACE"]))
    runner.__main__.main()
