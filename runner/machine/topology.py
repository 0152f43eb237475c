"""Choose a box's CPUs: one logical CPU per physical core, among those that this process may use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from runner.errors import MachineError
from runner.machine.cpu import cpu_info, cpu_name, read_text

_CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class CacheDomain:
    """The CPUs that share a last-level cache and that this process may use.

    Attributes:
        cpus: the numbers of the CPUs.
        cores: the first CPU of each physical core.
        cache_size: the size as the kernel writes it, such as 32768K. It is empty if the kernel does not show it.
    """

    cpus: list[int]
    cores: list[int]
    cache_size: str


def physical_cores() -> list[int]:
    """Return the first logical CPU of each physical core that this process may run on."""
    first_of_core: dict[tuple[str, str], int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        topology = _CPUS / f"cpu{cpu}" / "topology"
        core = (read_text(topology / "physical_package_id") or "0", read_text(topology / "core_id") or str(cpu))
        first_of_core.setdefault(core, cpu)
    return sorted(first_of_core.values())


def choose_cpus(number: int) -> list[int]:
    """Return the last cores of this machine, because its first core serves the most interrupts.

    Raises:
        MachineError: if there are not enough cores any more.
    """
    cores = physical_cores()
    if number > len(cores):  # checked when the sweep was planned, but a core can be taken away
        raise MachineError(
            f"The trial needs {number} physical cores, but only {len(cores)} may be used now: one went offline or was "
            "taken from this process. Give it back; then the same command goes on from here."
        )
    return cores[-number:]


def cache_domains() -> list[CacheDomain]:
    """Return the last-level caches of this machine, each with its CPUs, in the order of the CPUs.

    If the kernel does not describe a CPU's caches, as in some virtual machines, all CPUs are assumed to share one.
    """
    cores, sharing = set(physical_cores()), dict[tuple[str, str], list[int]]()
    for cpu in sorted(os.sched_getaffinity(0)):
        sharing.setdefault(_last_level_cache(cpu), []).append(cpu)
    if _UNKNOWN in sharing:
        sharing = {_UNKNOWN: sorted(os.sched_getaffinity(0))}
    return [CacheDomain(cpus, [cpu for cpu in cpus if cpu in cores], size) for (_, size), cpus in sharing.items()]


_UNKNOWN = "", ""


def _last_level_cache(cpu: int) -> tuple[str, str]:
    """Return the CPUs that share a CPU's highest-level cache, and its size, both as the kernel writes them."""
    levels = dict[int, tuple[str, str]]()
    for cache in (_CPUS / f"cpu{cpu}" / "cache").glob("index[0-9]*"):
        level, shared = read_text(cache / "level"), read_text(cache / "shared_cpu_list")
        if level and shared:
            levels[int(level)] = shared, read_text(cache / "size") or ""
    return levels[max(levels)] if levels else _UNKNOWN


def core_gone(cpus: list[int]) -> MachineError:
    """Return the error to raise when CPUs are refused that were available before."""
    which = f"CPU {cpus[0]}" if len(cpus) == 1 else f"one of the CPUs {', '.join(map(str, cpus))}"
    return MachineError(
        f"No box may run on {which} any more: it went offline or was taken from this process. What was measured is "
        "kept. Give it back; then the same command goes on from here."
    )


def memory_nodes(cpus: list[int]) -> list[int]:
    """Return the NUMA nodes of these CPUs."""
    nodes = {int(path.name[4:]) for cpu in cpus for path in (_CPUS / f"cpu{cpu}").glob("node[0-9]*")}
    return sorted(nodes) or [0]


def total_memory_bytes() -> int:
    """Return the bytes of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cpu_model() -> str:
    """Return the CPU's name."""
    return cpu_name(cpu_info()) or "unknown"
