"""Which CPUs a box gets: one logical CPU per physical core, within what this process itself may use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from runner.errors import MachineError
from runner.machine.cpu import cpu_info

_CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class CacheDomain:
    """The CPUs that share one last-level cache, as far as this process may run on them.

    Attributes:
        cpus: their numbers.
        cores: of these the first of each physical core.
        cache_size: as the kernel writes it, such as 32768K; empty where it does not say.
    """

    cpus: list[int]
    cores: list[int]
    cache_size: str


def physical_cores() -> list[int]:
    """Return the first logical CPU of each physical core that this process may run on."""
    first_of_core: dict[tuple[str, str], int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        topology = _CPUS / f"cpu{cpu}" / "topology"
        core = (_read(topology / "physical_package_id") or "0", _read(topology / "core_id") or str(cpu))
        first_of_core.setdefault(core, cpu)
    return sorted(first_of_core.values())


def choose_cpus(threads: int) -> list[int]:
    """Return `threads` cores, the last ones: the first core of a machine has the most interrupts to serve.

    Raises:
        MachineError: if there are no longer as many.
    """
    cores = physical_cores()
    if threads > len(cores):  # checked when the sweep was planned, but a core can be taken away
        raise MachineError(
            f"threads is {threads}, but only {len(cores)} physical cores may be used any more: one went offline or was "
            "taken from this process. Give it back; then the same command goes on from here."
        )
    return cores[-threads:]


def cache_domains() -> list[CacheDomain]:
    """Return the last-level caches of this machine, each with its CPUs, in the order of these.

    As the kernel tells it. Where it says nothing of a CPU's caches, as in some virtual machines, all CPUs are taken to
    share one.
    """
    cores, sharing = set(physical_cores()), dict[tuple[str, str], list[int]]()
    for cpu in sorted(os.sched_getaffinity(0)):
        sharing.setdefault(_last_level_cache(cpu), []).append(cpu)
    if _UNKNOWN in sharing:
        sharing = {_UNKNOWN: sorted(os.sched_getaffinity(0))}
    return [CacheDomain(cpus, [cpu for cpu in cpus if cpu in cores], size) for (_, size), cpus in sharing.items()]


_UNKNOWN = "", ""


def _last_level_cache(cpu: int) -> tuple[str, str]:
    """Return which CPUs share a CPU's cache of the highest level, and its size, both as the kernel writes them."""
    levels = dict[int, tuple[str, str]]()
    for cache in (_CPUS / f"cpu{cpu}" / "cache").glob("index[0-9]*"):
        level, shared = _read(cache / "level"), _read(cache / "shared_cpu_list")
        if level and shared:
            levels[int(level)] = shared, _read(cache / "size") or ""
    return levels[max(levels)] if levels else _UNKNOWN


def core_gone(cpus: list[int]) -> MachineError:
    """Return what to tell a person when CPUs are refused that were there a moment ago."""
    which = f"CPU {cpus[0]}" if len(cpus) == 1 else f"one of the CPUs {', '.join(map(str, cpus))}"
    return MachineError(
        f"No box may run on {which} any more: it went offline or was taken from this process. What was measured is "
        "kept. Give it back; then the same command goes on from here."
    )


def memory_nodes(cpus: list[int]) -> list[int]:
    """Return the NUMA nodes that these CPUs belong to."""
    nodes = {int(path.name[4:]) for cpu in cpus for path in (_CPUS / f"cpu{cpu}").glob("node[0-9]*")}
    return sorted(nodes) or [0]


def total_memory_bytes() -> int:
    """Return the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cpu_model() -> str:
    """Return the CPU's name as the kernel gives it."""
    return cpu_info().get("model name", "unknown")


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
