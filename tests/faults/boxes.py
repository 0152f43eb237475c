"""A trial's process box ends otherwise than it should."""

from __future__ import annotations

import os
import signal
import subprocess

from tests.faults.misbehaving import behave, let
from tests.faults.sweeps import SmallSweep

_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
/* Back by an hour, every tenth of a second; the monotonic clock stays. */
static int real(clockid_t id, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
    return next(id, now);
}
int clock_gettime(clockid_t id, struct timespec *now) {
    static long began;
    struct timespec since;
    int failed = real(id, now);
    real(CLOCK_MONOTONIC, &since);
    long tenths = since.tv_sec * 10 + since.tv_nsec / 100000000;
    if (!began) began = tenths;
    if (!failed && id == CLOCK_REALTIME) now->tv_sec -= 3600 * (tenths - began);
    return failed;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *out, void *zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
_ONE_CORE_MORE = """
import os
_real = os.sched_getaffinity
os.sched_getaffinity = lambda pid: _real(pid) | {1023}
"""


def trial_killed_from_outside(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGKILL)


def engine_crashes(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGSEGV)


def trial_hangs(sweep: SmallSweep) -> None:
    _signalled(sweep, signal.SIGSTOP)


def every_third_of_200_jobs_fails(sweep: SmallSweep) -> None:
    names = ", ".join(f"v-{number}" for number in range(199))
    union = f"grid.union=[{{technique: onnx}}, {{technique: onnx, technique.name: [{names}]}}]"
    sweep.grid = (union, "measure.rounds=1", "measure.timed_seconds=0.02")
    third = r"""
    import re
    number = re.search(r"_v-(\d+)_", str(paths["output"]))
    if number and int(number[1]) % 3 == 0:
        raise RuntimeError(f"number {number[1]} does not run")
    """
    let(sweep, "trial", third)
    sweep.run()
    behave(sweep)


def clock_runs_backwards(sweep: SmallSweep) -> None:
    """The wall clock of the runner, and of every box, is set back again and again while they run."""
    source = sweep.store.with_name("clock.c")
    library = source.with_suffix(".so")
    source.write_text(_CLOCK)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    let(sweep, "box", f'        "LD_PRELOAD": "{library}",\n')
    sweep.environment = {"LD_PRELOAD": str(library)}
    sweep.run()
    sweep.environment = {}
    fastest, slowest = sweep.results().latency_p50_seconds.min(), sweep.results().latency_p50_seconds.max()
    assert 0 < fastest <= slowest < 1, "latencies of the wall clock?"
    assert (sweep.results().wall_seconds > 0).all()
    assert len(set(sweep.results().started_at.str[:10])) > 1, "the clock was not set back"


def core_goes_offline(sweep: SmallSweep) -> None:
    """The runner is told that it may use a core which is not there, as when one goes offline after it looked."""
    folder = sweep.store.with_name("one-core-more")
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_ONE_CORE_MORE)
    process = sweep.start()
    sweep.until(lambda: len(sweep.trials()) == 2, process)
    process.send_signal(signal.SIGINT)
    sweep.end(process)
    before = os.environ.get("PYTHONPATH", "")
    sweep.environment = {"PYTHONPATH": f"{folder}:{before}"}
    sweep.run()
    sweep.environment = {}


def _signalled(sweep: SmallSweep, number: signal.Signals) -> None:
    process = sweep.start()
    sweep.until(sweep.box, process)
    os.kill(sweep.box() or 0, number)
    sweep.end(process)
