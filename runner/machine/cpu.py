"""Read what the kernel says about the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The instruction sets by which runtimes choose their kernels, as Linux names them: those of x86, and those of Arm.
INSTRUCTION_SETS = (
    *("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "svebf16", "sme"),
)
# On Arm, the kernel gives no name but two numbers: for the designer of the core, and for the core. These are the names
# of server cores in util-linux's lscpu (sys-utils/lscpu-arm.c).
_ARM_CORES = {
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd83"): "Neoverse-V3AE",
    ("0x41", "0xd84"): "Neoverse-V3",
    ("0x41", "0xd8e"): "Neoverse-N3",
    ("0x46", "0x001"): "A64FX",
    ("0x48", "0xd01"): "TaiShan-v110",
    ("0xc0", "0xac3"): "Ampere-1",
    ("0xc0", "0xac4"): "Ampere-1a",
}
_VERSION = (
    *("vendor_id", "cpu family", "model", "stepping"),
    *("CPU implementer", "CPU part", "CPU variant", "CPU revision"),
)


@dataclass(frozen=True)
class Cpu:
    """One CPU model under one kernel.

    Attributes:
        name: the name that the kernel gives, or on Arm the name of the core. In a virtual machine, it is often only the
            vendor's name.
        version: the vendor, family, model and stepping, or on Arm the corresponding numbers. They distinguish CPUs with
            the same name.
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
        """Whether the kernel says that this is a virtual machine, whose cores others may use. On Arm it never does."""
        return "hypervisor" in self.flags


def read_cpu(root: Path = Path("/")) -> Cpu:
    """Return the CPU that /proc and /sys below `root` describe."""
    info = cpu_info(root)
    return Cpu(
        name=cpu_name(info) or "unknown",
        version=" ".join(filter(None, map(info.get, _VERSION))),
        flags=sorted(_flags(info) or []),
        caches=_caches(root / "sys/devices/system/cpu/cpu0/cache"),
        kernel=read_text(root / "proc/sys/kernel/osrelease") or "unknown",
    )


def cpu_info(root: Path = Path("/")) -> dict[str, str]:
    """Return the values for the first CPU in /proc/cpuinfo below `root`. If it cannot be read, there are none."""
    return colon_file(root / "proc/cpuinfo")


def cpu_name(info: Mapping[str, str]) -> str | None:
    """Return the name of the CPU that `info` describes, or of its core on Arm, or None if it is not known."""
    return info.get("model name") or _ARM_CORES.get((info.get("CPU implementer", ""), info.get("CPU part", "")))


def instruction_sets() -> list[str] | None:
    """Return which of `INSTRUCTION_SETS` the CPU has, or None if the kernel does not list them."""
    flags = _flags(cpu_info())
    return None if flags is None else [name for name in INSTRUCTION_SETS if name in flags]


def _flags(info: Mapping[str, str]) -> list[str] | None:
    flags = info.get("flags", info.get("Features"))
    return None if flags is None else flags.split()


def colon_file(path: Path) -> dict[str, str]:
    """Return the values in a file of `key: value` lines, or none without a file. The first of a repeated key counts."""
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
    """Return a small file's text without surrounding space, or None if it cannot be read."""
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
