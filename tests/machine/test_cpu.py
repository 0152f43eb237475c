"""The CPU is read from the files of a simulated machine."""

from __future__ import annotations

from pathlib import Path

from runner.machine.cpu import read_cpu
from tests.machines import show


def test_a_cpu_is_read(tmp_path: Path) -> None:
    cpuinfo = (
        "vendor_id\t: Maker\ncpu family\t: 6\nmodel\t\t: 7\nmodel name\t: Fast One\nstepping\t: 8\nflags\t: fma avx2\n"
    )
    show(tmp_path, {"proc/cpuinfo": cpuinfo + cpuinfo.replace("Fast", "Slow"), "proc/sys/kernel/osrelease": "6.1.0\n"})
    for index, (level, kind, size) in enumerate([(1, "Data", "32K"), (1, "Instruction", "32K"), (2, "Unified", "1M")]):
        folder = f"sys/devices/system/cpu/cpu0/cache/index{index}"
        show(tmp_path, {f"{folder}/level": str(level), f"{folder}/type": kind, f"{folder}/size": size})
    cpu = read_cpu(tmp_path)
    assert (cpu.name, cpu.version, cpu.flags, cpu.kernel) == ("Fast One", "Maker 6 7 8", ["avx2", "fma"], "6.1.0")
    assert cpu.caches == {"L1d": "32K", "L2": "1M"}
    assert not cpu.is_virtual


def test_an_arm_core_is_named_by_its_numbers(tmp_path: Path) -> None:
    numbers = "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n"
    show(tmp_path, {"proc/cpuinfo": f"processor\t: 0\nFeatures\t: fp asimd asimddp\n{numbers}"})
    cpu = read_cpu(tmp_path)
    assert (cpu.name, cpu.version) == ("Neoverse-N1", "0x41 0xd0c 0x3 1")
    assert cpu.flags == ["asimd", "asimddp", "fp"]


def test_little_is_enough(tmp_path: Path) -> None:
    show(tmp_path, {"proc/cpuinfo": "processor\t: 0\nFeatures\t: asimd\nCPU part\t: 0xfff\n"})
    cpu = read_cpu(tmp_path)
    assert (cpu.name, cpu.version, cpu.flags, cpu.caches) == ("unknown", "0xfff", ["asimd"], {})
