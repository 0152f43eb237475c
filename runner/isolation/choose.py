"""From the config's isolation to a box."""

from __future__ import annotations

import re

import requests
from docker.errors import DockerException

from runner.config.paths import ENGINE_SCRIPT
from runner.config.schema import IsolationConfig, IsolationKind
from runner.errors import UserError
from runner.isolation.box import Box
from runner.isolation.docker import DockerBox, connect, engine_gone, remove_orphans
from runner.isolation.process import ProcessBox
from runner.machine.topology import physical_cores, total_memory_bytes

MIN_MEMORY_BYTES = 64 << 20  # Docker itself accepts 6 MiB, but no Python with an engine starts in it
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
NO_ENGINE = "No Docker engine answers: trials run as pinned processes, so memory and network are not enclosed."


def memory_bytes(text: str) -> int:
    """Return the bytes that a size such as 4GiB or 500MB names.

    Raises:
        UserError: if it is not a size, too small for an engine to start in, or more than the machine has.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]i?)?b?\s*", text, re.IGNORECASE)
    if not match:
        raise UserError(f"isolation.memory is '{text}', which is not a size. Write for example 4GiB or 500MB.")
    size = int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    if size < MIN_MEMORY_BYTES:
        raise UserError(f"isolation.memory is '{text}', too small for any engine to start in. Give at least 64MiB.")
    if size > total_memory_bytes():
        there_is = total_memory_bytes() / (1 << 30)
        raise UserError(f"isolation.memory is '{text}', but this machine has {there_is:.1f}GiB. Give less.")
    return size


def check_threads(threads: int) -> None:
    """Check that the machine has this many physical cores for us.

    Raises:
        UserError: if not.
    """
    cores = len(physical_cores())
    if threads > cores:
        raise UserError(
            f"threads is {threads}, but only {cores} physical cores may be used here. Each thread gets a core of its "
            f"own, so give 1 to {cores}."
        )


def resolve(kind: IsolationKind) -> tuple[IsolationKind, str | None]:
    """Turn `auto` into the kind that this machine has; return it with a line to print if that is a lesser one.

    Raises:
        UserError: if Docker is asked for and no engine answers.
    """
    if kind is IsolationKind.process:
        return kind, None
    if connect() is not None:
        return IsolationKind.docker, None
    if kind is IsolationKind.docker:
        raise UserError(
            "isolation=docker, but no Docker engine answers. Start one (on a bare Debian or Ubuntu, as root: "
            f"{ENGINE_SCRIPT}), check DOCKER_HOST, or use isolation=process."
        )
    return IsolationKind.process, NO_ENGINE


def make_box(isolation: IsolationConfig) -> Box:
    """Return a box of the config's kind, which must have been resolved.

    Raises:
        MachineError: if the engine has gone, or has not the image.
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
