"""CPU, clock and energy of made-up machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.doctor.fact import Fact, Section
from runner.cli.doctor.hardware import Cores, count_cores, cpu_section, energy_section, frequency_section
from tests.machines import show

CPUS = "sys/devices/system/cpu"


def fact(section: Section, name: str) -> Fact:
    return next(fact for fact in section.facts if fact.name == name)


def test_cores_threads_and_nodes_are_counted(tmp_path: Path) -> None:
    for cpu in range(8):
        topology = f"{CPUS}/cpu{cpu}/topology"
        files = {f"{topology}/physical_package_id": str(cpu // 4 % 2), f"{topology}/core_id": str(cpu % 2)}
        show(tmp_path, files | {f"sys/devices/system/node/node{cpu // 4}/cpulist": ""})
    assert count_cores(tmp_path) == Cores(logical=8, physical=4, sockets=2, numa_nodes=2)


def test_a_bare_machine_is_told(tmp_path: Path) -> None:
    show(tmp_path, {"proc/cpuinfo": "model name: Old\nflags: sse2 hypervisor\n"})
    section = cpu_section(tmp_path)
    assert fact(section, "Instructions").value == "none known"
    assert fact(section, "Cores").value == "1 core, 1 logical CPU, 1 socket, 1 NUMA node"
    assert fact(section, "Caches").value == "not visible"
    assert "other guests" in fact(section, "Machine").value


def test_what_int8_lacks_is_told(tmp_path: Path) -> None:
    show(tmp_path, {"proc/cpuinfo": "flags: avx2 fma"})
    assert "Without VNNI" in (fact(cpu_section(tmp_path), "Instructions").advice or "")
    show(tmp_path, {"proc/cpuinfo": "Features: fp asimd"})
    assert "asimddp" in (fact(cpu_section(tmp_path), "Instructions").advice or "")


@pytest.mark.parametrize("cpuinfo", ["flags: avx2 avx_vnni", "Features: fp asimd asimddp i8mm bf16 sve"])
def test_a_cpu_that_lacks_nothing_gets_no_advice(tmp_path: Path, cpuinfo: str) -> None:
    show(tmp_path, {"proc/cpuinfo": cpuinfo})
    found = fact(cpu_section(tmp_path), "Instructions")
    assert found.advice is None
    assert set(found.value.split()) <= set(cpuinfo.split())
    assert len(found.value.split()) >= 2


def test_large_caches_are_in_mebibytes(tmp_path: Path) -> None:
    cache = f"{CPUS}/cpu0/cache/index0"
    show(tmp_path, {"proc/cpuinfo": "", f"{cache}/level": "3", f"{cache}/type": "Unified", f"{cache}/size": "32768K"})
    assert fact(cpu_section(tmp_path), "Caches").value == "L3 32M"


def test_a_clock_that_moves_gets_advice(tmp_path: Path) -> None:
    clock = f"{CPUS}/cpu1/cpufreq"
    files = {"scaling_governor": "powersave", "cpuinfo_min_freq": "800000", "cpuinfo_max_freq": "3500000"}
    show(tmp_path, {f"{clock}/{name}": text for name, text in files.items()} | {f"{CPUS}/intel_pstate/no_turbo": "0"})
    section = frequency_section([1], tmp_path)
    assert "performance" in (fact(section, "Governor").advice or "")
    assert (fact(section, "Boost").value, fact(section, "Range").value) == ("on", "800–3500 MHz")


def test_a_fixed_or_hidden_clock_gets_none(tmp_path: Path) -> None:
    hidden = frequency_section([0], tmp_path)
    assert {found.value for found in hidden.facts} == {"not visible"}
    show(tmp_path, {f"{CPUS}/cpu0/cpufreq/scaling_governor": "performance", f"{CPUS}/cpufreq/boost": "0"})
    fixed = frequency_section([0], tmp_path)
    assert fact(fixed, "Boost").value == "off"
    assert not any(found.advice for found in hidden.facts + fixed.facts)


def test_energy_is_visible_hidden_or_missing(tmp_path: Path) -> None:
    assert "stays empty" in energy_section(False, tmp_path).facts[0].value
    (tmp_path / "sys/class/powercap/intel-rapl:0").mkdir(parents=True)
    assert "as root" in (energy_section(False, tmp_path).facts[0].advice or "")
    show(tmp_path, {"sys/class/powercap/intel-rapl:0/energy_uj": "1"})
    assert energy_section(False, tmp_path).data == {"visible": True}
    assert "isolation=process" in (energy_section(True, tmp_path).facts[0].advice or "")
