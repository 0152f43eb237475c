"""Build the pinned image if it is missing, and make the models at the same time.

A model's own steps then run in process boxes, with the same packages and the same Python as in the image. So they make
the same files, and the store finds these once the image is there.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.config.paths import BOX_PYTHON, DOCKER
from runner.config.schema import IsolationKind, SourceKind
from runner.console import announce, say, stage
from runner.errors import MachineError, UserError
from runner.isolation.docker import connect, has_image
from runner.isolation.process import ProcessBox
from runner.store.artifacts import Store
from runner.store.sweep_folder import SweepFolder
from runner.sweep.artifact_builder import ArtifactBuilder, PrepareError
from runner.sweep.jobs import Job
from runner.sweep.plan import Plan
from runner.sweep.prepare import chain_of, texts_of
from runner.sweep.prepare_all import make_models
from runner.techniques.step import plugin_of

_USUAL_SECONDS = 130.0


def build_missing_image(plan: Plan, folder: SweepFolder) -> None:
    """Build the image if a job needs it and the engine has none.

    Raises:
        MachineError: if it cannot be built.
    """
    isolations = [job.cfg.isolation for job in plan.jobs]
    if not any(i.kind is IsolationKind.docker and i.image is None for i in isolations):
        return
    client = connect()
    if client is None or has_image(client):
        return
    with stage("image, and the models meanwhile", _USUAL_SECONDS), _building() as wait:
        make_models([job for job in plan.jobs if _may_run_here(job)], folder, _make_model)
        wait()


def _may_run_here(job: Job) -> bool:
    """Return whether a model may be made outside of a container: from pinned files, with the image's Python."""
    source = job.cfg.model.source
    steps = chain_of(job.cfg)[0]
    pinned = source.kind is SourceKind.package and not source.code and not any(plugin_of(step.name) for step in steps)
    return pinned and sys.version_info[:2] == BOX_PYTHON


def _make_model(job: Job, cpus: list[int]) -> None:
    cfg = job.cfg
    builder = ArtifactBuilder(Store(Path(cfg.store)), ProcessBox(), cpus, cfg.prepare_timeout_seconds, announce)
    try:
        builder.chain(chain_of(cfg)[0], cfg.model, texts_of(cfg), cfg)
    except (PrepareError, UserError):
        pass  # the preparation of the job fails for the same reason, and records it


@contextmanager
def _building() -> Iterator[Callable[[], None]]:
    """Run docker/image.py in parallel within the context, and yield a function that waits for its end."""
    command = [sys.executable, str(DOCKER / "image.py")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def wait() -> None:
        assert process.stdout is not None
        lines = [line.rstrip() for line in process.stdout]
        if process.wait():
            raise MachineError("The image cannot be built.\n" + "\n".join(lines))
        say(lines[-1].strip())

    try:
        yield wait
    finally:
        process.kill()
        process.wait()
