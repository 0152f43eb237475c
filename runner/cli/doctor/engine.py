"""Examine the container engine, and the free disk space and memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import docker
from runner.cli.doctor.fact import Fact, Section, gib
from runner.config.paths import ENGINE_SCRIPT, MAKE
from runner.errors import UserError
from runner.isolation.box import Box
from runner.isolation.docker import DockerBox, engine_name, image_tag
from runner.isolation.process import ProcessBox
from runner.machine.cpu import read_text

_ROOT = Path("/")
_MIN_DISK_BYTES = 5 << 30  # the size of the image and one model with its variants
_MIN_MEMORY_BYTES = 4 << 30  # the default limit of a box


def find_box(client: docker.DockerClient | None) -> Box:
    """Return the box that trials would use: a container if an engine has the image, or else a process."""
    try:
        return DockerBox(client) if client else ProcessBox()
    except UserError:
        return ProcessBox()


def engine_section(client: docker.DockerClient | None, box: Box) -> Section:
    """Report the container engine, its image and the isolation of trials."""
    if client is None:
        no_engine = Fact(
            "Docker",
            "no engine answers: trials run as pinned processes, which share memory and network with all others",
            f"Start an engine. On a bare Debian or Ubuntu, {ENGINE_SCRIPT} installs and starts one (as root).",
        )
        return Section("Engine", [no_engine], {"isolation": box.kind})
    info: dict[str, Any] = client.info()
    group = f"control groups version {info.get('CgroupVersion', '?')}"
    facts = [Fact(engine_name(client), f"{info.get('ServerVersion', '?')}, storage {info.get('Driver', '?')}, {group}")]
    facts += [Fact("Warning", str(warning)) for warning in info.get("Warnings") or []]
    if box.image_id:
        facts.append(Fact("Image", f"{image_tag()}, id {box.image_id.removeprefix('sha256:')[:12]}"))
        facts.append(Fact("Isolation", "docker: own cores, a memory limit, no network, and one writable folder"))
    else:
        facts.append(Fact("Image", f"{image_tag()} is not built", f"Build it: {MAKE} image."))
    data = {"server": info.get("ServerVersion"), "isolation": box.kind, "image_id": box.image_id}
    return Section("Engine", facts, data)


def room_section(store: Path, client: docker.DockerClient | None, root: Path = _ROOT) -> Section:
    """Report how much disk space and memory is free."""
    facts = [_disk("Disk, store", store.absolute())]
    docker_root = Path(client.info().get("DockerRootDir", "")) if client else None
    if docker_root and docker_root.is_dir():  # the engine may be on another machine
        facts.append(_disk("Disk, Docker", docker_root))
    memory = _meminfo(root)
    available, total = memory.get("MemAvailable", 0), memory.get("MemTotal", 0)
    swapped = memory.get("SwapTotal", 0) - memory.get("SwapFree", 0)
    tight = "A box needs more by default. Free some memory, or lower isolation.memory."
    facts.append(
        Fact(
            "Memory",
            f"{gib(available)} free of {gib(total)}" + (f", {gib(swapped)} swapped out" if swapped else ""),
            tight if available < _MIN_MEMORY_BYTES else None,
        )
    )
    return Section("Room", facts, {"memory_available_bytes": available, "memory_bytes": total})


def _disk(name: str, folder: Path) -> Fact:
    while not folder.exists():  # nothing has been stored yet
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    advice = (
        "A model with its variants takes a few GiB. Free some disk space." if usage.free < _MIN_DISK_BYTES else None
    )
    return Fact(name, f"{gib(usage.free)} free of {gib(usage.total)}", advice)


def _meminfo(root: Path) -> dict[str, int]:
    """Return the sizes of /proc/meminfo in bytes."""
    sizes = {}
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024
    return sizes
