"""Measure the capacity of a job: start its service, probe it at several rates, and record the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from runner.config.load import LoadConfig
from runner.isolation.box import Box, BoxOrder
from runner.results.records.load import Probe
from runner.results.records.plan import Role
from runner.results.records.trial import TrialRecord
from runner.sweep.load.capacity import find_capacity, is_disturbed, seconds_of_probe, seed_of_arrivals
from runner.sweep.load.service import Service, ServiceFailedError, service_orders

_CURVE = (0.25, 0.5, 0.75)  # shares of the capacity that are probed after the search, to draw the whole curve
_MAX_REPEATS = 6  # how many disturbed probes a trial repeats


def measure_capacity(
    record: TrialRecord, box: Box, order: BoxOrder, load: LoadConfig, cpus: list[int], folder: Path
) -> None:
    """Find the capacity of a job under an open load.

    If the service or the load generator fails, the record gets the status `crashed`. If the generator was the limit,
    it gets the status `unfair`. In both cases it keeps the probes that were made.

    Args:
        record: the record of a trial that is ok so far.
        box: the kind of box.
        order: the order of the closed measurement, which names the model and the texts.
        load: the open load.
        cpus: the cores of the service and of the load generator.
        folder: the folder in which the service makes its own folder.

    Raises:
        MachineError: if the engine, the disk or a core is gone.
    """
    record.probes = probes = list[Probe]()
    try:
        with Service(box, *service_orders(order, load, cpus), folder) as service:
            prober = _Prober(service, load, f"{record.seed}-{record.round}", probes)
            offline = prober.offline()
            found = find_capacity(prober.server, offline, load)
            if record.round == 0 and found.per_second and record.role != Role.baseline_last.value:
                for share in _CURVE:
                    prober.server(share * found.per_second)
    except ServiceFailedError as failure:
        record.status, record.error = "crashed", f"{failure} (under the open load)"
        return
    record.capacity_per_second, record.capacity_reason = found.per_second, found.reason
    record.offline_per_second = offline.completed_per_second
    if found.generator_limit:
        record.status, record.error = "unfair", found.generator_limit


class _Prober:
    """Run probes, and keep each of them.

    All probes of a round, of every job, have the same seed, so that they have the same arrivals at different rates. A
    disturbed probe is repeated while the trial has repeats left, and the last repeat counts.

    Args:
        service: the service.
        load: the open load.
        round_: a text that is the same for all jobs of a round.
        probes: the list of all probes.
    """

    def __init__(self, service: Service, load: LoadConfig, round_: str, probes: list[Probe]) -> None:
        self._service, self._load, self._seed, self._probes = service, load, seed_of_arrivals(round_), probes
        self._repeats = iter(range(_MAX_REPEATS))

    def offline(self) -> Probe:
        """Let all requests arrive at once."""
        return self._undisturbed(lambda: self._service.offline(self._load.probe_seconds))

    def server(self, rate: float) -> Probe:
        """Let requests arrive at random at a rate."""
        seconds = seconds_of_probe(rate, self._load)
        return self._undisturbed(lambda: self._service.probe(rate, self._seed, seconds))

    def _undisturbed(self, probe: Callable[[], Probe]) -> Probe:
        while True:
            self._probes.append(probe())
            if not is_disturbed(self._probes[-1], self._load) or next(self._repeats, None) is None:
                return self._probes[-1]
