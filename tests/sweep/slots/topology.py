"""Made-up machines, as the kernel shows their CPUs: which are of one core, and which share a cache."""

from __future__ import annotations

from pathlib import Path

from tests.machines import show


def show_cpus(
    root: Path, caches: list[list[int]], cores_of: dict[int, int] | None = None, size: str = "32768K"
) -> Path:
    """Write a tree like /sys/devices/system/cpu; return its root.

    Args:
        root: an empty folder.
        caches: the CPUs of each last-level cache.
        cores_of: the core of each CPU; by default each is one.
        size: of each of these caches.
    """
    files = {}
    for shared in caches:
        for cpu in shared:
            files[f"cpu{cpu}/topology/physical_package_id"] = "0\n"
            files[f"cpu{cpu}/topology/core_id"] = f"{(cores_of or {}).get(cpu, cpu)}\n"
            levels = (("1", str(cpu), "32K"), ("2", str(cpu), "1024K"), ("3", ",".join(map(str, shared)), size))
            for index, (level, sharing, bytes_) in enumerate(levels):
                cache = f"cpu{cpu}/cache/index{index}"
                files |= {f"{cache}/level": level, f"{cache}/shared_cpu_list": sharing, f"{cache}/size": bytes_}
    return show(root, files)
