"""A service to test with: a folder of texts, an engine that only sleeps, and what runs in its boxes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.config.load import BatchingConfig, LoadConfig, LoadKind, SloConfig
from runner.isolation.box import Box, BoxOrder
from runner.isolation.process import ProcessBox
from runner.sweep.load.service import Service, service_orders
from tests.patience import PATIENCE_SECONDS

PLUGIN = Path(__file__).parent / "plugin"
TEXTS = [f"word{number}" for number in range(40)]  # text number n has the token n


def load(
    workers: int = 1, size: int = 1, wait_milliseconds: float = 0, queue: int = 256, milliseconds: float = 1000
) -> LoadConfig:
    batching = BatchingConfig(size, wait_milliseconds)
    return LoadConfig("open", LoadKind.open, SloConfig(99, milliseconds), workers, batching, queue, 1.0)


def write_inputs(folder: Path) -> Path:
    """Write the folder of the inputs as preparing does."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir()
    vocabulary = {text: number for number, text in enumerate([*TEXTS, "[UNK]"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"max_length": 8, "padding": "max_length", "bucket": 8, "pad_token_id": 0}
    (folder / "encoding.json").write_text(json.dumps(settings | {"token_types": False, "words": False}))
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    return folder


def cpus(workers: int) -> list[int]:
    """Return a core for the generator, and the last one for all workers, which only sleep."""
    usable = sorted(os.sched_getaffinity(0))
    return [usable[0], *[usable[-1]] * workers]


def order(place: Path, seconds: float = 0.02) -> BoxOrder:
    """Return the order of a trial of an engine that sleeps for so long in each call."""
    inputs = place / "inputs" if (place / "inputs").exists() else write_inputs(place / "inputs")
    artifact = place / "artifact"
    artifact.mkdir(exist_ok=True)
    artifact.chmod(0o777)
    (artifact / "seconds.json").write_text(json.dumps(seconds))
    request = {"engine": "sleeping", "plugin": "sleeping", "threads": 1, "measure": {"warmup_seconds": 0.0}}
    return BoxOrder(
        module="runner.trial",
        request=request,
        inputs={"artifact": artifact, "inputs": inputs},
        output=Path(),
        cpus=[],
        plugin=PLUGIN,
    )


def serve(
    place: Path,
    load: LoadConfig,
    seconds: float = 0.02,
    box: Box | None = None,
    timeout_seconds: float = PATIENCE_SECONDS,
) -> Service:
    """Start a service of such an engine."""
    trial = replace(order(place, seconds), timeout_seconds=timeout_seconds)
    orders = service_orders(trial, load, cpus(load.workers))
    (place / "run").mkdir(exist_ok=True)
    return Service(box or ProcessBox(), *orders, place / "run")


def processes(folder: Path, module: str = "") -> list[int]:
    """Return the processes in boxes whose files are in a folder, those that were started first first."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode()
            started = int((process / "stat").read_text().rpartition(")")[2].split()[19])
        except OSError:
            continue  # it has just ended
        if str(folder) in command and module in command and "-m" in command:
            found.append((started, int(process.name)))
    return [pid for _, pid in sorted(found)]


def workers(service: Service) -> list[int]:
    """Return the worker processes of a service."""
    return processes(service.folder, "runner.trial.service")[1:]


def generator(service: Service) -> int:
    """Return the process of a service's load generator."""
    (pid,) = processes(service.folder, "runner.trial.generator")
    return pid


def started(place: Path) -> list[dict[str, Any]]:
    """Return what each worker saw when it loaded its model."""
    return [lines[0] for lines in _logs(place)]


def calls(place: Path) -> list[dict[str, Any]]:
    """Return the texts and the duration of every call that the workers made, in order if there is one worker."""
    return [call for lines in _logs(place) for call in lines[1:]]


def _logs(place: Path) -> list[list[dict[str, Any]]]:
    logs = sorted((place / "artifact").glob("*.log"))
    return [[json.loads(line) for line in log.read_text().splitlines()] for log in logs]
