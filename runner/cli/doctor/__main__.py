"""pinbox doctor: what this machine can and cannot tell."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from runner.cli.doctor.engine import engine_section, find_box, room_section
from runner.cli.doctor.fact import Section, plural
from runner.cli.doctor.hardware import cpu_section, energy_section, frequency_section
from runner.cli.doctor.limits import limits_section
from runner.cli.doctor.noise import SECONDS, noise_section, probe
from runner.cli.doctor.peaks import peaks_section, thread_counts
from runner.cli.doctor.terminal import print_section
from runner.config.schema import Config
from runner.isolation.box import Box
from runner.isolation.docker import connect
from runner.machine.topology import choose_cpus, physical_cores
from runner.sweep.peaks import Peaks, measured_peaks

_waiting = Console(stderr=True, style="dim", highlight=False)


def main() -> int:
    """Examine the machine and print what was found, each section as soon as it is known; return 0."""
    parser = argparse.ArgumentParser("pinbox doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON, with the figures")
    parser.add_argument("--fresh", action="store_true", help="measure peaks again that were measured before")
    parser.add_argument("--store", type=Path, default=Path(Config.store), help="where measured peaks are kept")
    asked = parser.parse_args()
    sections = examine(asked.store, asked.fresh)
    if asked.json:
        json.dump([asdict(section) for section in sections], sys.stdout, indent=1, ensure_ascii=False)
        print()
        return 0
    console = Console(highlight=False)
    for section in sections:
        print_section(section, console)
    return 0


def examine(store: Path, fresh: bool) -> Iterator[Section]:
    """Give every section; the peaks, which may take long, last."""
    load = os.getloadavg()[0]
    client, cores = connect(), physical_cores()
    box = find_box(client)
    yield cpu_section()
    yield limits_section(os.sched_getaffinity(0), cores)
    yield frequency_section(cores)
    yield engine_section(client, box)
    yield room_section(store, client)
    yield energy_section(in_containers=box.kind == "docker")
    _waiting.print(f"Probing for noise, {SECONDS:.0f} seconds …")
    cpu = choose_cpus(1)[0]
    yield noise_section(probe(cpu), cpu, load)
    yield peaks_section([_peaks(store, box, threads, fresh) for threads in thread_counts(len(cores))], box.kind)


def _peaks(store: Path, box: Box, threads: int, fresh: bool) -> Peaks:
    _waiting.print(f"Measuring peaks with {plural(threads, 'thread')}, some ten seconds unless known …")
    return measured_peaks(store, box, choose_cpus(threads), fresh)


if __name__ == "__main__":
    sys.exit(main())
