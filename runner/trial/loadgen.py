"""Run MLPerf's LoadGen against a service. How requests reach the service is up to the subclass.

LoadGen (Reddi et al., ISCA 2020; https://github.com/mlcommons/inference) decides when each request arrives and which
text it has. In its scenario Server, requests arrive as a Poisson process that does not depend on the service. In its
scenario Offline, all requests wait from the beginning. A seed fixes the arrivals and the texts, so all variants get the
same ones.

A latency counts from the scheduled arrival to the moment of the answer, on the clock that all processes of the machine
share. So a request that is sent late is not measured as a fast one.
"""

from __future__ import annotations

import json
import math
import threading
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mlperf_loadgen as loadgen

from runner.results.records.load import Probe
from runner.trial.request import Settings

_REHEARSAL_PER_SECOND = 1e6
_MAX_GROWTH = 20  # the largest factor of the number of requests from one offline run to the next one
_TRACE, _SAMPLE = "mlperf_log_trace.json", '{"name":"Sample"'
_SERVER, _OFFLINE = loadgen.TestScenario.Server, loadgen.TestScenario.Offline


class Used(NamedTuple):
    """What a worker has used so far: CPU time, and time without a CPU although it was ready to run."""

    cpu_ns: int
    waiting_ns: int | None


class Answer(NamedTuple):
    """The answer to a request, by its number. It was rejected if `answered_ns` is None."""

    number: int
    answered_ns: int | None
    batch: int | None = None


class _Run:
    """The requests of one run of LoadGen, by their numbers, and the answers to them.

    Attributes:
        ids: LoadGen's name of each request.
        sent_ns: when each was sent.
        queue: the number of waiting requests that each found, or None if it is not known.
        answered_ns: when each was answered, or 0 if it was rejected.
        batch: the size of the batch in which each was answered, or 0 if it is not known.
        rejected: the number of rejected requests.
    """

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.sent_ns: list[int] = []
        self.queue: list[int | None] = []
        self.answered_ns: list[int] = []
        self.batch: list[int] = []
        self.rejected = 0

    def add(self, samples: Sequence[Any], queue: int | None) -> int:
        """Add requests that are sent now, and return the number of the first one."""
        first, now = len(self.ids), time.monotonic_ns()
        self.sent_ns += [now] * len(samples)
        self.queue += [queue] * len(samples)
        self.answered_ns += [0] * len(samples)
        self.batch += [0] * len(samples)
        self.ids += [sample.id for sample in samples]
        return first


class LoadGenerator(ABC):
    """A load generator.

    Args:
        texts: the number of texts.
        slots: how many requests the service answers at the same time.
        slo: the objective: percentile, milliseconds.
        folder: the folder in which LoadGen writes its logs.
    """

    def __init__(self, texts: int, slots: int, slo: Settings, folder: Path) -> None:
        self._texts, self._slots, self._slo, self._folder = texts, slots, slo, folder
        self._run = _Run()
        self._counting = threading.Lock()  # answers may come from several threads

    @abstractmethod
    def waiting(self) -> int | None:
        """Return how many requests wait for the service now, or None if it is not known."""

    @abstractmethod
    def send(self, number: int, text: int) -> bool:
        """Send a request with a text, by its number, and return whether it was taken. The answer comes later."""

    @abstractmethod
    def send_all(self, first: int, texts: Sequence[int]) -> None:
        """Send requests with these texts as fast as the service takes them. They are numbered from `first` on."""

    @abstractmethod
    def used(self) -> dict[int, Used]:
        """Return what each worker of the service has used so far, as far as it is known."""

    def answered(self, answers: Iterable[Answer]) -> None:
        """Tell LoadGen that requests were answered or rejected."""
        done = []
        for number, answered_ns, batch in answers:
            if answered_ns is None:
                with self._counting:
                    self._run.rejected += 1
            else:
                self._run.answered_ns[number], self._run.batch[number] = answered_ns, batch or 0
            done.append(loadgen.QuerySampleResponse(self._run.ids[number], 0, 0))
        if done:
            loadgen.QuerySamplesComplete(done)

    def probe(self, command: Settings) -> Probe:
        """Make the probe that a command describes.

        Args:
            command: scenario, seed and seconds and, in the scenario server, per_second.
        """
        probe = self._offline if command["scenario"] == "offline" else self._server
        return probe(**{name: value for name, value in command.items() if name != "scenario"})

    def _server(self, per_second: float, seed: int, seconds: float) -> Probe:
        """Let requests arrive at random at a rate."""
        settings = _settings(_SERVER, seed, max(1, round(per_second * seconds)))
        settings.server_target_qps = per_second * self._correction(settings)
        probe, made = self._run_loadgen(settings, self._issue)
        probe.scenario, probe.seed, probe.asked_per_second = "server", seed, per_second
        arrivals = _read_arrivals(self._folder / _TRACE, made)
        self._add_latencies(probe, made, arrivals)
        return probe

    def _offline(self, seconds: float, seed: int) -> Probe:
        """Let as many requests wait from the beginning as the service answers in about this many seconds.

        Shorter runs come first, to find that number of requests. If the service rejects some, more of them would not
        take longer, so the run counts as it is.
        """
        count = 4 * self._slots
        while True:
            probe, made = self._run_loadgen(_settings(_OFFLINE, seed, count), self._issue_all)
            took = (max(made.answered_ns) - made.sent_ns[0]) / 1e9
            if probe.rejected or took >= seconds / 2:
                break
            count = math.ceil(count * min(_MAX_GROWTH, seconds / took))
        probe.scenario, probe.seed, probe.completed_per_second = "offline", seed, 0.0
        if probe.completed:
            probe.seconds, probe.completed_per_second = took, probe.completed / took
        return probe

    def _correction(self, settings: Any) -> float:
        """Return the factor on LoadGen's target rate with which requests arrive at the wanted rate.

        The arrivals that LoadGen draws from a seed have a mean rate that differs from the target: by about a tenth for
        100 arrivals. A quick run at a high rate, which rejects every request, shows by how much.
        """
        if settings.min_query_count == 1:
            return 1.0
        settings.server_target_qps = _REHEARSAL_PER_SECOND
        _, made = self._run_loadgen(settings, self._issue_to_nobody)
        return _REHEARSAL_PER_SECOND / _rate(_read_arrivals(self._folder / _TRACE, made))

    def _run_loadgen(self, settings: Any, issue: Callable[[Sequence[Any]], None]) -> tuple[Probe, _Run]:
        """Run LoadGen until all requests are answered or rejected, and return what does not depend on the scenario."""
        made = self._run = _Run()
        before, cpu_ns = self.used(), time.process_time_ns()
        service = loadgen.ConstructSUT(issue, lambda: None)
        texts = loadgen.ConstructQSL(self._texts, self._texts, lambda _: None, lambda _: None)
        loadgen.StartTestWithLogSettings(service, texts, settings, _log_settings(self._folder))
        loadgen.DestroyQSL(texts)
        loadgen.DestroySUT(service)
        probe = Probe()
        probe.queries, probe.rejected = len(made.ids), made.rejected
        probe.completed = len(made.ids) - made.rejected
        batches = sum(1 / size for size in made.batch if size)
        probe.mean_batch = probe.completed / batches if batches else None
        _add_usage(probe, before, self.used())
        probe.generator_cpu_seconds = (time.process_time_ns() - cpu_ns) / 1e9
        return probe, made

    def _add_latencies(self, probe: Probe, made: _Run, arrivals: Sequence[int]) -> None:
        """Add the values that depend on the arrivals of the requests."""
        answers = zip(made.answered_ns, arrivals, strict=True)
        latencies = sorted((answered - arrival) / 1e9 if answered else math.inf for answered, arrival in answers)
        answered = latencies[: probe.completed]
        late = sorted((sent - arrival) / 1e9 for sent, arrival in zip(made.sent_ns, arrivals, strict=True))
        probe.seconds = (max(*made.answered_ns, arrivals[-1]) - arrivals[0]) / 1e9
        if len(arrivals) > 1:
            probe.scheduled_per_second = _rate(arrivals)
            probe.completed_per_second = max(0, len(answered) - 1) / probe.seconds
        if answered:
            probe.latency_p50_seconds, probe.latency_p90_seconds = percentile(answered, 50), percentile(answered, 90)
            probe.latency_p99_seconds, probe.latency_p999_seconds = percentile(answered, 99), percentile(answered, 99.9)
        reached = percentile(latencies, self._slo["percentile"])
        probe.slo_latency_seconds = reached if math.isfinite(reached) else None
        probe.holds = reached <= self._slo["milliseconds"] / 1000
        found = [queue for queue in made.queue if queue is not None]
        if found:
            probe.mean_queue, probe.max_queue = sum(found) / len(found), max(found)
        probe.generator_late_seconds = percentile(late, 99)

    def _issue(self, samples: Sequence[Any]) -> None:
        """Send a request that arrives now. LoadGen calls this."""
        number = self._run.add(samples, self.waiting())
        if not self.send(number, samples[0].index):
            self.answered([Answer(number, None)])

    def _issue_to_nobody(self, samples: Sequence[Any]) -> None:
        """Reject a request at once, without a service. LoadGen calls this."""
        self.answered([Answer(self._run.add(samples, None), None)])

    def _issue_all(self, samples: Sequence[Any]) -> None:
        """Send requests as fast as the service takes them. LoadGen calls this."""
        self.send_all(self._run.add(samples, None), [sample.index for sample in samples])


def _add_usage(probe: Probe, before: dict[int, Used], after: dict[int, Used]) -> None:
    """Add what the workers of the service used during the probe, as far as it is known."""
    pairs = [(before[worker], after[worker]) for worker in before]
    if pairs:
        probe.service_cpu_seconds = sum(last.cpu_ns - first.cpu_ns for first, last in pairs) / 1e9
    waits = [(first.waiting_ns, last.waiting_ns) for first, last in pairs]
    known = [last - first for first, last in waits if first is not None and last is not None]
    if pairs and len(known) == len(pairs):
        probe.service_waiting_seconds = sum(known) / 1e9


def _settings(scenario: Any, seed: int, count: int) -> Any:
    """Return LoadGen's settings for exactly `count` requests."""
    settings = loadgen.TestSettings()
    settings.scenario, settings.mode = scenario, loadgen.TestMode.PerformanceOnly
    settings.min_query_count, settings.min_duration_ms, settings.offline_expected_qps = count, 0, 1
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = seed
    return settings


def _log_settings(folder: Path) -> Any:
    """Return the settings of LoadGen's own logs, which stay in memory until a run has ended."""
    settings = loadgen.LogSettings()
    settings.log_output.outdir = str(folder)
    settings.log_mode, settings.enable_trace = loadgen.LoggingMode.EndOfTestOnly, True
    return settings


class _Arrival(NamedTuple):
    """The scheduled arrival of a request on LoadGen's clock, and how much later LoadGen sent it, in nanoseconds."""

    scheduled: float
    delay: float


def _read_arrivals(trace: Path, made: _Run) -> array[int]:
    """Return the scheduled arrival of each request, on the clock of `time.monotonic_ns`.

    LoadGen writes it into its trace, on its own clock. The request that reached this process fastest after LoadGen had
    sent it shows the difference of the two clocks.
    """
    with trace.open() as lines:  # each is an event; the whole file is not valid JSON, as LoadGen quotes some keys twice
        events = [json.loads(line.rstrip(",\n")) for line in lines if line.startswith(_SAMPLE)]
    arrivals = {
        event["args"]["sample_seq"]: _Arrival(event["ts"] * 1000, event["args"]["issue_start_ns"])
        for event in events
        if event["ph"] == "b"
    }
    apart = min(sent - sum(arrivals[number]) for number, sent in enumerate(made.sent_ns))
    return array("q", [round(arrivals[number].scheduled + apart) for number in range(len(made.ids))])


def _rate(arrivals: Sequence[int]) -> float:
    """Return the mean number of arrivals in a second."""
    return (len(arrivals) - 1) / ((arrivals[-1] - arrivals[0]) / 1e9)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of ordered values. It is one of the values, as LoadGen chooses it."""
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]
