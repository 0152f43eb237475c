"""Examine this machine, section by section."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from runner.cli.doctor.engine import engine_section, find_box, room_section
from runner.cli.doctor.fact import Section
from runner.cli.doctor.hardware import cpu_section, energy_section, frequency_section
from runner.cli.doctor.limits import limits_section
from runner.cli.doctor.noise import SECONDS, noise_section, probe
from runner.cli.doctor.peaks import peaks_section, thread_counts
from runner.isolation.box import Box
from runner.isolation.docker import connect
from runner.machine.topology import choose_cpus, physical_cores
from runner.results.format import pluralize
from runner.sweep.peaks import Peaks, measured_peaks

_progress = Console(stderr=True, style="dim", highlight=False)


def examine(store: Path, fresh: bool) -> Iterator[Section]:
    """Yield each section. The peaks come last, because they may take long."""
    load = os.getloadavg()[0]
    client, cores = connect(), physical_cores()
    box = find_box(client)
    yield cpu_section()
    yield limits_section(os.sched_getaffinity(0), cores)
    yield frequency_section(cores)
    yield engine_section(client, box)
    yield room_section(store, client)
    yield energy_section(in_containers=box.kind == "docker")
    _progress.print(f"Probing for noise, {SECONDS:.0f} seconds …")
    cpu = choose_cpus(1)[0]
    yield noise_section(probe(cpu), cpu, load)
    yield peaks_section([_peaks(store, box, threads, fresh) for threads in thread_counts(len(cores))], box.kind)


def _peaks(store: Path, box: Box, threads: int, fresh: bool) -> Peaks:
    _progress.print(
        f"Measuring peaks with {pluralize(threads, 'thread')}. This takes about ten seconds unless they are known …"
    )
    return measured_peaks(store, box, choose_cpus(threads), fresh)
