"""The container engine, and how much disk and memory is free."""

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
_LITTLE_DISK_BYTES = 5 << 30  # the image and one model with its variants
_LITTLE_MEMORY_BYTES = 4 << 30  # what a box asks for by default


def find_box(client: docker.DockerClient | None) -> Box:
    """Return the kind of box that trials would get: a container where an engine has the image, else a process."""
    try:
        return DockerBox(client) if client else ProcessBox()
    except UserError:
        return ProcessBox()


def engine_section(client: docker.DockerClient | None, box: Box) -> Section:
    """Say what trials run in on this machine."""
    if client is None:
        no_engine = Fact(
            "Docker",
            "no engine answers: trials run as pinned processes, which share memory and network with all others",
            f"Start one. On a bare Debian or Ubuntu, {ENGINE_SCRIPT} installs and starts one (as root).",
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
    """Say how much disk and memory is free."""
    facts = [_disk("Disk, store", store.absolute())]
    docker_root = Path(client.info().get("DockerRootDir", "")) if client else None
    if docker_root and docker_root.is_dir():  # the engine may be on another machine
        facts.append(_disk("Disk, Docker", docker_root))
    memory = _meminfo(root)
    available, total = memory.get("MemAvailable", 0), memory.get("MemTotal", 0)
    swapped = memory.get("SwapTotal", 0) - memory.get("SwapFree", 0)
    tight = "This is less than a box asks for by default. Free some, or lower isolation.memory."
    facts.append(
        Fact(
            "Memory",
            f"{gib(available)} free of {gib(total)}" + (f", {gib(swapped)} swapped out" if swapped else ""),
            tight if available < _LITTLE_MEMORY_BYTES else None,
        )
    )
    return Section("Room", facts, {"memory_available_bytes": available, "memory_bytes": total})


def _disk(name: str, folder: Path) -> Fact:
    while not folder.exists():  # nothing has been stored yet
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    advice = "A model with its variants takes a few GiB. Free some disk." if usage.free < _LITTLE_DISK_BYTES else None
    return Fact(name, f"{gib(usage.free)} free of {gib(usage.total)}", advice)


def _meminfo(root: Path) -> dict[str, int]:
    """Read /proc/meminfo, in bytes."""
    sizes = {}
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024
    return sizes
