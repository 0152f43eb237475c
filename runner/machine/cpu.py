"""What the kernel says of the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: What kernels are chosen by, as Linux names it.
INSTRUCTION_SETS = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


@dataclass(frozen=True)
class Cpu:
    """One CPU model under one kernel.

    Attributes:
        name: as the kernel gives it; in a virtual machine often no more than the maker's.
        version: vendor, family, model and stepping, which tell apart what the name does not.
        flags: all that the kernel lists, sorted.
        caches: size by name, such as {"L1d": "32K"}; of the first CPU.
        kernel: release.
    """

    name: str
    version: str
    flags: list[str]
    caches: dict[str, str]
    kernel: str

    @property
    def is_virtual(self) -> bool:
        """Whether this is a virtual machine: then others may share its physical cores, unseen."""
        return "hypervisor" in self.flags


def read_cpu(root: Path = Path("/")) -> Cpu:
    """Read /proc and /sys (below `root`)."""
    found = cpu_info(root)
    version = [found.get(key, "") for key in ("vendor_id", "cpu family", "model", "stepping", "CPU part")]
    return Cpu(
        name=found.get("model name", "unknown"),
        version=" ".join(filter(None, version)),
        flags=sorted(found.get("flags", found.get("Features", "")).split()),
        caches=_caches(root / "sys/devices/system/cpu/cpu0/cache"),
        kernel=read_text(root / "proc/sys/kernel/osrelease") or "unknown",
    )


def cpu_info(root: Path = Path("/")) -> dict[str, str]:
    """Return what /proc/cpuinfo (below `root`) says of the first CPU; empty where it cannot be read."""
    return colon_file(root / "proc/cpuinfo")


def instruction_sets() -> list[str] | None:
    """Return which of `INSTRUCTION_SETS` the CPU has; None if the kernel does not tell."""
    cpu = cpu_info()
    flags = cpu.get("flags", cpu.get("Features"))
    return None if flags is None else [name for name in INSTRUCTION_SETS if name in flags.split()]


def colon_file(path: Path) -> dict[str, str]:
    """Read a file of `key: value` lines. The first value of a repeated key counts; a missing file gives no keys."""
    found: dict[str, str] = {}
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def read_text(path: Path) -> str | None:
    """Return a small file's text without surrounding space, None where it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _caches(folder: Path) -> dict[str, str]:
    caches = {}
    for index in sorted(folder.glob("index[0-9]*")):
        level, kind, size = (read_text(index / name) for name in ("level", "type", "size"))
        if level and kind and size and kind != "Instruction":
            caches[f"L{level}{'d' if kind == 'Data' else ''}"] = size
    return caches
