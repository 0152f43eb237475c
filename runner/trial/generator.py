"""Send requests to a service with MLPerf's LoadGen, inside a box: `python -m runner.trial.generator REQUEST`.

    {"workers": of the service, "batching": its batching, "queue": the most requests that may wait,
     "slo": {"percentile": 99, "milliseconds": 50}, "paths": {"inputs": …, "pipes": …, "output": …}}

LoadGen (Reddi et al., ISCA 2020; https://github.com/mlcommons/inference) decides when each request arrives and which
text it brings. In its scenario Server, requests arrive as a Poisson process, whatever the service does. In its scenario
Offline, all requests wait from the beginning. A seed fixes the arrivals and the texts, so all variants get the same.

A latency counts from the scheduled arrival to the moment when a worker has the prediction, on the clock that all
processes of the machine share. So a request that is sent late is not measured as a fast one, and the time in which this
process notices the answer does not count.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mlperf_loadgen as loadgen

from runner.results.records.load import Probe
from runner.results.records.measured import to_json
from runner.trial.encoder import read_texts
from runner.trial.pipes import (
    ANSWER,
    ANSWERS,
    ATOMIC_BYTES,
    COMMANDS,
    PROBES,
    REQUEST,
    REQUESTS,
    STARTED,
    UNKNOWN,
    waiting_requests,
)
from runner.trial.request import Paths, Settings, read_request, run
from runner.trial.timing import no_garbage_collection

_ANSWERS_BYTES = ATOMIC_BYTES // ANSWER.size * ANSWER.size
_REHEARSAL_PER_SECOND = 1e6
_MAX_GROWTH = 20  # of the number of requests from one offline run to the next one
_TRACE, _SAMPLE = "mlperf_log_trace.json", '{"name":"Sample"'
_SERVER, _OFFLINE = loadgen.TestScenario.Server, loadgen.TestScenario.Offline


def main() -> None:
    """Wait until the workers are warm, and make the probes that the host asks for until it closes the pipe."""
    request, paths = read_request()
    generator = Generator(request, paths)
    with (paths["pipes"] / COMMANDS).open() as commands, (paths["pipes"] / PROBES).open("w") as probes:
        generator.wait_for_workers()
        print("{}", file=probes, flush=True)
        with no_garbage_collection():
            for line in commands:
                print(to_json(generator.probe(json.loads(line))), file=probes, flush=True)


class _Used(NamedTuple):
    """What a worker has used so far: CPU time, and time without a CPU although it was ready to run."""

    cpu_ns: int
    waiting_ns: int


class _Run:
    """The requests of one run of LoadGen, by their numbers, and the answers to them.

    Attributes:
        ids: LoadGen's name of each request.
        sent_ns: when each was sent.
        queue: the number of waiting requests that each found.
        answered_ns: when each was answered, or 0 if it was rejected.
        batch: the size of the batch in which each was answered.
        rejected: the number of rejected requests.
    """

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.sent_ns: list[int] = []
        self.queue: list[int] = []
        self.answered_ns: list[int] = []
        self.batch: list[int] = []
        self.rejected = 0

    def add(self, samples: Sequence[Any], queue: int) -> int:
        """Add requests that are sent now, and return the number of the first one."""
        first, now = len(self.ids), time.monotonic_ns()
        self.sent_ns += [now] * len(samples)
        self.queue += [queue] * len(samples)
        self.answered_ns += [0] * len(samples)
        self.batch += [0] * len(samples)
        self.ids += [sample.id for sample in samples]
        return first


class Generator:
    """The generator, with all pipes open."""

    def __init__(self, request: Settings, paths: Paths) -> None:
        self._request, self._output = request, paths["output"]
        self._texts = len(read_texts(paths["inputs"]))
        self._requests = os.open(paths["pipes"] / REQUESTS, os.O_WRONLY | os.O_NONBLOCK)
        self._patient_requests = os.open(paths["pipes"] / REQUESTS, os.O_WRONLY)
        self._answers = os.open(paths["pipes"] / ANSWERS, os.O_RDWR)  # a worker that opens it does not wait for others
        self._used = dict[int, _Used]()  # by each worker
        self._warm = threading.Event()
        self._run = _Run()
        threading.Thread(target=self._read_answers, daemon=True).start()

    def wait_for_workers(self) -> None:
        """Wait until all workers are warm."""
        self._warm.wait()

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
        arrivals = _read_arrivals(self._output / _TRACE, made)
        self._add_latencies(probe, made, arrivals)
        return probe

    def _offline(self, seconds: float, seed: int) -> Probe:
        """Let so many requests wait from the beginning that answering them takes about so long.

        Shorter runs come first, until it is clear how many requests that are.
        """
        count = 4 * self._request["workers"] * self._request["batching"]["max_batch_size"]
        while True:
            probe, made = self._run_loadgen(_settings(_OFFLINE, seed, count), self._issue_all)
            took = (max(made.answered_ns) - made.sent_ns[0]) / 1e9
            if took >= seconds / 2:
                break
            count = math.ceil(count * min(_MAX_GROWTH, seconds / took))
        probe.scenario, probe.seed, probe.seconds, probe.completed_per_second = "offline", seed, took, count / took
        return probe

    def _correction(self, settings: Any) -> float:
        """Return the rate to ask LoadGen for ÷ the rate at which the requests shall arrive.

        The arrivals that LoadGen draws from a seed have another mean rate than it is asked for: with 100 of them, by a
        tenth. A quick rehearsal, in which nobody answers, shows by how much.
        """
        if settings.min_query_count == 1:
            return 1.0
        settings.server_target_qps = _REHEARSAL_PER_SECOND
        _, made = self._run_loadgen(settings, self._issue_to_nobody)
        return _REHEARSAL_PER_SECOND / _rate(_read_arrivals(self._output / _TRACE, made))

    def _run_loadgen(self, settings: Any, issue: Callable[[Sequence[Any]], None]) -> tuple[Probe, _Run]:
        """Run LoadGen until all requests are answered or rejected, and return what does not depend on the scenario."""
        made = self._run = _Run()
        before, cpu_ns = dict(self._used), time.process_time_ns()
        service = loadgen.ConstructSUT(issue, lambda: None)
        texts = loadgen.ConstructQSL(self._texts, self._texts, lambda _: None, lambda _: None)
        loadgen.StartTestWithLogSettings(service, texts, settings, _log_settings(self._output))
        loadgen.DestroyQSL(texts)
        loadgen.DestroySUT(service)
        probe = Probe()
        probe.queries, probe.rejected = len(made.ids), made.rejected
        probe.completed = len(made.ids) - made.rejected
        batches = sum(1 / size for size in made.batch if size)
        probe.mean_batch = probe.completed / batches if batches else None
        pairs = [(before[worker], self._used[worker]) for worker in before]
        probe.service_cpu_seconds = sum(after.cpu_ns - first.cpu_ns for first, after in pairs) / 1e9
        if all(first.waiting_ns != UNKNOWN for first, _ in pairs):
            probe.service_waiting_seconds = sum(after.waiting_ns - first.waiting_ns for first, after in pairs) / 1e9
        probe.generator_cpu_seconds = (time.process_time_ns() - cpu_ns) / 1e9
        return probe, made

    def _add_latencies(self, probe: Probe, made: _Run, arrivals: Sequence[int]) -> None:
        """Add what depends on when the requests arrived."""
        slo = self._request["slo"]
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
        reached = percentile(latencies, slo["percentile"])
        probe.slo_latency_seconds = reached if math.isfinite(reached) else None
        probe.holds = reached <= slo["milliseconds"] / 1000
        probe.mean_queue, probe.max_queue = sum(made.queue) / len(made.queue), max(made.queue)
        probe.generator_late_seconds = percentile(late, 99)

    def _issue(self, samples: Sequence[Any]) -> None:
        """Send a request that arrives now, or reject it if the queue is full. LoadGen calls this."""
        queue = waiting_requests(self._requests)
        number = self._run.add(samples, queue)
        if queue < self._request["queue"]:
            try:
                os.write(self._requests, REQUEST.pack(number, samples[0].index))
                return
            except BlockingIOError:
                pass  # the pipe is smaller than the queue
        self._reject(samples)

    def _issue_to_nobody(self, samples: Sequence[Any]) -> None:
        """Send a request to nobody. LoadGen calls this."""
        self._run.add(samples, 0)
        self._reject(samples)

    def _reject(self, samples: Sequence[Any]) -> None:
        self._run.rejected += 1
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(samples[0].id, 0, 0)])

    def _issue_all(self, samples: Sequence[Any]) -> None:
        """Send requests as fast as the pipe takes them. LoadGen calls this."""
        first, at_once = self._run.add(samples, 0), ATOMIC_BYTES // REQUEST.size
        for start in range(0, len(samples), at_once):
            part = samples[start : start + at_once]
            records = [REQUEST.pack(first + start + place, sample.index) for place, sample in enumerate(part)]
            os.write(self._patient_requests, b"".join(records))

    def _read_answers(self) -> None:
        """Hand the answers to LoadGen as they come."""
        while True:
            done = []
            for number, answered_ns, cpu_ns, waiting_ns, size, worker in ANSWER.iter_unpack(
                os.read(self._answers, _ANSWERS_BYTES)
            ):
                self._used[worker] = _Used(cpu_ns, waiting_ns)
                if number == STARTED:
                    continue
                self._run.answered_ns[number], self._run.batch[number] = answered_ns, size
                done.append(loadgen.QuerySampleResponse(self._run.ids[number], 0, 0))
            if done:
                loadgen.QuerySamplesComplete(done)
            elif len(self._used) == self._request["workers"]:
                self._warm.set()


def _settings(scenario: Any, seed: int, count: int) -> Any:
    """Return LoadGen's settings for exactly so many requests."""
    settings = loadgen.TestSettings()
    settings.scenario, settings.mode = scenario, loadgen.TestMode.PerformanceOnly
    settings.min_query_count, settings.min_duration_ms, settings.offline_expected_qps = count, 0, 1
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = seed
    return settings


def _log_settings(folder: Path) -> Any:
    """Return where LoadGen writes its own logs, in memory until a run has ended."""
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

    LoadGen writes it into its trace, on a clock of its own. The request that reached this process fastest after LoadGen
    had sent it shows how far the two clocks are apart.
    """
    with trace.open() as lines:  # each is an event, and the file as a whole is no JSON: LoadGen quotes some keys twice
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


if __name__ == "__main__":
    run(main)
