"""Examine the CPU, its clock and its energy counters, as far as the kernel shows them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from runner.cli.doctor.fact import Fact, Section
from runner.machine.cpu import INSTRUCTION_SETS, Cpu, read_cpu, read_text
from runner.machine.int8 import ADVICE, saturates
from runner.results.format import pluralize
from runner.trial.energy import EnergyMeter

_ROOT = Path("/")
_NOT_VISIBLE = "not visible"


@dataclass(frozen=True)
class Cores:
    """The numbers of logical CPUs, cores, sockets and NUMA nodes that are online."""

    logical: int
    physical: int
    sockets: int
    numa_nodes: int


def cpu_section(root: Path = _ROOT) -> Section:
    """Report the CPU, with the properties that matter for matrix products."""
    cpu, cores = read_cpu(root), count_cores(root)
    count = ", ".join(
        [
            pluralize(cores.physical, "core"),
            pluralize(cores.logical, "logical CPU"),
            pluralize(cores.sockets, "socket"),
            pluralize(cores.numa_nodes, "NUMA node"),
        ]
    )
    shared = cores.logical > cores.physical
    facts = [
        Fact("Model", f"{cpu.name} ({cpu.version})"),
        Fact(
            "Instructions",
            " ".join(name for name in INSTRUCTION_SETS if name in cpu.flags) or "none known",
            _int8_advice(cpu),
        ),
        Fact("Cores", count, "Trials use one CPU of each core. Leave the other CPUs idle." if shared else None),
        Fact("Caches", ", ".join(f"{name} {_mebi(size)}" for name, size in cpu.caches.items()) or _NOT_VISIBLE),
        Fact("Kernel", cpu.kernel),
    ]
    if cpu.is_virtual:
        facts.append(Fact("Machine", "virtual: other guests may share its cores, and this machine cannot see them"))
    return Section("CPU", facts, asdict(cpu) | asdict(cores))


def count_cores(root: Path = _ROOT) -> Cores:
    """Return the numbers that /sys shows. A number that it does not show is 1."""
    topologies = list(root.glob("sys/devices/system/cpu/cpu[0-9]*/topology"))
    sockets = [read_text(topology / "physical_package_id") or "0" for topology in topologies]
    cores = {(socket, read_text(t / "core_id") or t.parent.name) for socket, t in zip(sockets, topologies, strict=True)}
    nodes = list(root.glob("sys/devices/system/node/node[0-9]*"))
    return Cores(len(topologies) or 1, len(cores) or 1, len(set(sockets)) or 1, len(nodes) or 1)


def _mebi(size: str) -> str:
    """Return a size of the kernel, such as 32768K, in mebibytes, such as 32M."""
    kibi = size.removesuffix("K")
    return f"{int(kibi) // 1024}M" if kibi.isdigit() and int(kibi) >= 1024 else size


def _int8_advice(cpu: Cpu) -> str | None:
    if saturates(cpu.flags):
        return f"Without VNNI, int8 gains less than on other CPUs, and its products may saturate. {ADVICE}"
    if "asimd" in cpu.flags and "asimddp" not in cpu.flags:
        return "Without the dot product (asimddp), int8 gains less than on newer Arm cores."
    return None


def frequency_section(cpus: list[int], root: Path = _ROOT) -> Section:
    """Report the governor, the boost and the clock range of these CPUs."""
    folder = root / "sys/devices/system/cpu"
    clocks = [folder / f"cpu{cpu}/cpufreq" for cpu in cpus]
    governors = sorted({name for clock in clocks if (name := read_text(clock / "scaling_governor"))})
    wrong = [name for name in governors if name != "performance"]
    boost = _boost(folder)
    facts = [
        Fact(
            "Governor",
            ", ".join(governors) or _NOT_VISIBLE,
            "The clock follows the load. Set it with 'cpupower frequency-set --governor performance'."
            if wrong
            else None,
        ),
        Fact(
            "Boost",
            {None: _NOT_VISIBLE, True: "on", False: "off"}[boost],
            "The clock depends on heat and on other cores. Without boost, intervals are narrower." if boost else None,
        ),
    ]
    limits = [(read_text(clock / "cpuinfo_min_freq"), read_text(clock / "cpuinfo_max_freq")) for clock in clocks]
    megahertz = [f"{int(low) // 1000}–{int(high) // 1000} MHz" for low, high in limits if low and high]
    facts.append(Fact("Range", ", ".join(sorted(set(megahertz))) or _NOT_VISIBLE))
    return Section("Frequency", facts, {"governors": governors, "boost": boost})


def _boost(folder: Path) -> bool | None:
    """Return whether the clock may exceed its nominal value. The kernel shows this in one of two places."""
    no_turbo, boost = read_text(folder / "intel_pstate/no_turbo"), read_text(folder / "cpufreq/boost")
    if no_turbo is not None:
        return no_turbo == "0"
    return None if boost is None else boost == "1"


def energy_section(in_containers: bool, root: Path = _ROOT) -> Section:
    """Report whether energy per call can be recorded."""
    exists = any(root.glob("sys/class/powercap/intel-rapl:*"))
    readable = EnergyMeter(root).joules() is not None
    if not exists:
        fact = Fact("Counters", f"{_NOT_VISIBLE}: energy per call stays empty")
    elif not readable:
        fact = Fact("Counters", "not readable for this user", "Run as root to record energy per call.")
    elif in_containers:
        fact = Fact(
            "Counters", "visible here, hidden in containers", "Use isolation=process to record energy per call."
        )
    else:
        fact = Fact("Counters", "visible: energy per call is recorded")
    return Section("Energy", [fact], {"visible": readable})
