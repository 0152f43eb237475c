"""Choose and make the box that the config's isolation requires."""

from __future__ import annotations

import os
import re

import requests
from docker.errors import DockerException

from runner.config.load import LoadConfig
from runner.config.paths import ENGINE_SCRIPT
from runner.config.schema import IsolationConfig, IsolationKind
from runner.errors import UserError
from runner.isolation.box import Box
from runner.isolation.docker import DockerBox, connect, engine_gone, remove_orphans
from runner.isolation.process import ProcessBox
from runner.machine.topology import physical_cores, total_memory_bytes

MIN_MEMORY_BYTES = 64 << 20  # Docker accepts 6 MiB, but Python with an engine does not start with so little
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
NO_ENGINE = "No Docker engine answers: trials run as pinned processes, whose memory and network are not limited."


def memory_bytes(text: str) -> int:
    """Return the number of bytes of a size such as 4GiB or 500MB.

    Raises:
        UserError: if the text is not a size, if the size is too small for an engine, or if the machine has less memory.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    if not match:
        raise UserError(f"isolation.memory is '{text}', which is not a size. Write for example 4GiB or 500MB.")
    size = int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    if size < MIN_MEMORY_BYTES:
        raise UserError(
            f"isolation.memory is '{text}', which is too small for any engine to start. Give at least 64MiB."
        )
    if size > total_memory_bytes():
        gib = total_memory_bytes() / (1 << 30)
        raise UserError(f"isolation.memory is '{text}', but this machine has {gib:.1f}GiB. Give less.")
    return size


def check_threads(threads: int) -> None:
    """Check that this process may use as many physical cores as there are threads.

    Raises:
        UserError: if there are fewer cores than threads.
    """
    cores = len(physical_cores())
    if threads > cores:
        raise UserError(
            f"threads is {threads}, but only {cores} physical cores may be used here. Each thread needs its own core, "
            f"so give 1 to {cores}."
        )


def check_load(threads: int, load: LoadConfig) -> None:
    """Check that this process may use as many physical cores as an open load needs.

    Raises:
        UserError: if there are fewer cores.
    """
    cores, service = len(physical_cores()), threads * load.workers
    if load.is_open and service >= cores:
        raise UserError(
            f"load.workers is {load.workers} and threads is {threads}, so the service needs {service} physical "
            f"core{'s' if service > 1 else ''}, and the load generator needs one more, but only {cores} may be used "
            "here. Give fewer workers or threads, or load=closed."
        )


def check_quota(isolation: IsolationConfig) -> None:
    """Check that the job's kind of box can have its CPU quota, and that the machine has as many CPUs.

    Raises:
        UserError: if not.
    """
    if isolation.cpus is None:
        return
    if isolation.cpus > (cpus := os.cpu_count() or 1):
        raise UserError(f"isolation.cpus is {isolation.cpus:g}, but this machine has {cpus} CPUs. Give at most that.")
    if resolve(isolation.kind)[0] is IsolationKind.process:
        raise UserError(
            f"isolation.cpus is {isolation.cpus:g}, but only a container can have a CPU quota, and trials run as "
            "processes here. Remove it, or use isolation=docker."
        )


def resolve(kind: IsolationKind) -> tuple[IsolationKind, str | None]:
    """Return the kind of box to use for `kind`, and a line to print if `auto` falls back to processes.

    Raises:
        UserError: if the config asks for Docker and no engine answers.
    """
    if kind is IsolationKind.process:
        return kind, None
    if connect() is not None:
        return IsolationKind.docker, None
    if kind is IsolationKind.docker:
        raise UserError(
            "isolation is docker, but no Docker engine answers. Start one (on a bare Debian or Ubuntu, as root: "
            f"{ENGINE_SCRIPT}), check DOCKER_HOST, or use isolation=process."
        )
    return IsolationKind.process, NO_ENGINE


def make_box(isolation: IsolationConfig) -> Box:
    """Return a box of the config's kind, which `resolve` must have chosen.

    Raises:
        MachineError: if the engine does not answer, or if it does not have the image.
    """
    if isolation.kind is IsolationKind.process:
        return ProcessBox()
    client = connect()
    if client is None:
        raise engine_gone()
    try:
        remove_orphans(client)
        return DockerBox(client, isolation.image)
    except (DockerException, requests.RequestException):
        raise engine_gone() from None
