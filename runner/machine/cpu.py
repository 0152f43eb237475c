"""Read what the kernel says about the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: The instruction sets by which runtimes choose their kernels, as Linux names them.
INSTRUCTION_SETS = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


@dataclass(frozen=True)
class Cpu:
    """One CPU model under one kernel.

    Attributes:
        name: the name that the kernel gives. In a virtual machine it is often only the vendor's.
        version: the vendor, family, model and stepping, which tell CPUs with the same name apart.
        flags: all flags that the kernel lists, sorted.
        caches: the sizes of the first CPU's caches by name, such as {"L1d": "32K"}.
        kernel: the kernel's release.
    """

    name: str
    version: str
    flags: list[str]
    caches: dict[str, str]
    kernel: str

    @property
    def is_virtual(self) -> bool:
        """Whether this is a virtual machine, whose physical cores others may use unnoticed."""
        return "hypervisor" in self.flags


def read_cpu(root: Path = Path("/")) -> Cpu:
    """Return the CPU that /proc and /sys below `root` describe."""
    info = cpu_info(root)
    version = [info.get(key, "") for key in ("vendor_id", "cpu family", "model", "stepping", "CPU part")]
    return Cpu(
        name=info.get("model name", "unknown"),
        version=" ".join(filter(None, version)),
        flags=sorted(info.get("flags", info.get("Features", "")).split()),
        caches=_caches(root / "sys/devices/system/cpu/cpu0/cache"),
        kernel=read_text(root / "proc/sys/kernel/osrelease") or "unknown",
    )


def cpu_info(root: Path = Path("/")) -> dict[str, str]:
    """Return what /proc/cpuinfo below `root` says about the first CPU; nothing if it cannot be read."""
    return colon_file(root / "proc/cpuinfo")


def instruction_sets() -> list[str] | None:
    """Return which of `INSTRUCTION_SETS` the CPU has; None if the kernel does not list them."""
    cpu = cpu_info()
    flags = cpu.get("flags", cpu.get("Features"))
    return None if flags is None else [name for name in INSTRUCTION_SETS if name in flags.split()]


def colon_file(path: Path) -> dict[str, str]:
    """Return the values in a file of `key: value` lines: the first of a repeated key, and none without a file."""
    values: dict[str, str] = {}
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            values.setdefault(key.strip(), value.strip())
    return values


def read_text(path: Path) -> str | None:
    """Return a small file's text without surrounding space; None if it cannot be read."""
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
