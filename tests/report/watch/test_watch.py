"""A sweep that grows file by file while it is watched."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import UserError
from runner.report import write
from runner.report.watch.folder import look
from runner.report.watch.follow import Pace, follow
from runner.report.watch.line import status_line
from runner.results.collect import collect
from runner.results.tables import read_tables
from tests.patience import PATIENCE_SECONDS, wait_until
from tests.results.synthetic import BASELINE, DEMO, Job, edit, trial_file, write_sweep

PACE = Pace(poll_seconds=0.01, min_seconds=0.0, share=1.0, quiet_seconds=0.2)
JOBS = [*DEMO[:3], Job("broken", failure=("oom", "killed", (0, 1, 2)))]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A complete sweep, whose files can be copied."""
    return write_sweep(tmp_path / "whole", JOBS)


@pytest.fixture
def growing(tmp_path: Path, whole: Path) -> Path:
    """The same sweep before its first trial."""
    folder = tmp_path / "growing"
    folder.mkdir()
    shutil.copy(whole / "plan.json", folder)
    shutil.copytree(whole / "predictions", folder / "predictions")
    return folder


def _add(sweep: Path, path: Path, source: Path) -> None:
    """Add a file as a sweep does: under another name first."""
    target = sweep / path.relative_to(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.x1y2")
    shutil.copy(path, unfinished)
    unfinished.rename(target)


@pytest.fixture
def watching(growing: Path) -> Iterator[tuple[threading.Thread, list[str]]]:
    lines: list[str] = []
    thread = threading.Thread(target=follow, args=(growing, 2, lines.append, PACE), daemon=True)
    thread.start()
    yield thread, lines
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


@pytest.mark.slow
def test_it_writes_as_trials_come_in_and_ends_when_all_are_there(
    whole: Path, growing: Path, watching: tuple[threading.Thread, list[str]]
) -> None:
    thread, lines = watching
    trials = sorted(whole.glob("trials/*/trial.json"))
    for number, path in enumerate(trials, 1):
        wait_until(lambda expected=number - 1: bool(lines) and lines[-1].startswith(f"{expected} of 15 trials"))  # type: ignore[misc]
        page = (growing / "report.html").read_text()
        assert '<meta http-equiv="refresh"' in page
        _add(growing, path, whole)
    thread.join(PATIENCE_SECONDS)
    assert lines[0] == "0 of 15 trials, 0 failed; no variant is ahead of its baseline so far"
    assert lines[-1].startswith("15 of 15 trials, 3 failed; ahead: minilm-l6 · onnx-int8 · 1 thread, 2.")
    assert '<meta http-equiv="refresh"' not in (growing / "report.html").read_text()
    assert read_tables(growing).summary == replace(collect(whole), folder=growing).summary


def test_an_open_report_tells_what_is_missing(growing: Path, whole: Path) -> None:
    _add(growing, trial_file(whole, BASELINE, role="baseline-first"), whole)
    write.collect_and_report(growing)
    assert "The sweep is unfinished: 14 planned trials left no file." in (growing / "report.html").read_text()


def test_what_is_still_being_written_is_not_seen(growing: Path) -> None:
    before = look(growing)
    half = trial_file(growing, BASELINE, role="baseline-first").with_name(".trial.json.x1y2")
    half.parent.mkdir(parents=True)
    half.write_text('{"status": "o')
    assert look(growing) == before
    half.rename(half.with_name("trial.json"))
    assert look(growing).files > before.files


def test_it_rests_while_a_trial_has_all_cores(tmp_path: Path, growing: Path, whole: Path) -> None:
    lines: list[str] = []
    thread = threading.Thread(target=follow, args=(growing, 1, lines.append, PACE), daemon=True)
    thread.start()
    trials = sorted(whole.glob("trials/*/trial.json"))
    for path in trials[:-1]:
        _add(growing, path, whole)
    wait_until(lambda: bool(lines), "its first line")
    time.sleep(0.3)  # in which it would write a report
    assert lines == ["The trial that is running has all cores: the report waits."]
    assert not (growing / "report.html").exists()
    _add(growing, trials[-1], whole)
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    written = lines[1:]  # two if the last trial came in between two reads of the same look: it is seen again next time
    assert written
    assert all(line.startswith("15 of 15") for line in written)


def test_a_round_that_is_added_at_the_end_is_waited_for(growing: Path, whole: Path) -> None:
    plan = json.loads((growing / "plan.json").read_text())
    edit(growing / "plan.json", trials=[trial for trial in plan["trials"] if trial["round"] == 0])
    for path in whole.glob("trials/*-r0-*/trial.json"):
        _add(growing, path, whole)
    assert look(growing).is_complete
    lines: list[str] = []

    def say(line: str) -> None:
        """Add to the sweep before it has been quiet for long enough to end."""
        lines.append(line)
        if len(lines) == 1:
            edit(growing / "plan.json", trials=plan["trials"])
        elif line.startswith("5 of 15"):
            for path in whole.glob("trials/*/trial.json"):
                _add(growing, path, whole)

    follow(growing, 2, say, PACE)
    assert lines[-1].startswith("15 of 15")


def test_most_of_the_time_it_rests() -> None:
    assert Pace(min_seconds=5, share=0.1).rest_seconds(0.1) == 5
    assert Pace(min_seconds=5, share=0.1).rest_seconds(2) == pytest.approx(18)


def test_one_round_is_not_judged_yet(tmp_path: Path) -> None:
    line = status_line(collect(write_sweep(tmp_path, DEMO, rounds=1)))
    assert line.startswith("6 of 6 trials, 0 failed; ahead: minilm-l6 · onnx-int8 · 1 thread, 2.")
    assert line.endswith("× (not evaluated yet)")


def test_who_writes_last_has_read_the_most(whole: Path, growing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow watcher that began before the last trial must not write after the sweep's own end."""
    reading, go_on = threading.Event(), threading.Event()

    def slow(sweep: Path) -> object:
        tables = collect(sweep)
        if threading.current_thread() is watcher:
            reading.set()
            go_on.wait(PATIENCE_SECONDS)
        return tables

    monkeypatch.setattr(write, "collect", slow)
    watcher = threading.Thread(target=write.collect_and_report, args=(growing, 20))
    watcher.start()
    reading.wait(PATIENCE_SECONDS)
    for path in whole.glob("trials/*/trial.json"):
        _add(growing, path, whole)
    sweep = threading.Thread(target=write.collect_and_report, args=(growing,))
    sweep.start()
    sweep.join(0.3)
    assert sweep.is_alive(), "it waits until the watcher has written"
    go_on.set()
    watcher.join(PATIENCE_SECONDS)
    sweep.join(PATIENCE_SECONDS)
    assert "planned trials left no file" not in (growing / "report.html").read_text()


def test_no_sweep_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        follow(tmp_path / "absent", 2, print, PACE)


def _stands_aside(thread: int) -> bool:
    first_core = {min(os.sched_getaffinity(0))}
    return os.getpriority(os.PRIO_PROCESS, thread) == 19 and os.sched_getaffinity(thread) == first_core


@pytest.mark.slow
def test_the_command_stands_aside_and_ends_on_ctrl_c(whole: Path) -> None:
    command = [sys.executable, "-m", "runner.cli", "watch", str(whole)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watcher:
        try:
            page = whole / "report.html"
            wait_until(lambda: watcher.poll() is not None or _stands_aside(watcher.pid), "it to stand aside")
            threads = [int(path.name) for path in Path(f"/proc/{watcher.pid}/task").iterdir()]
            assert all(map(_stands_aside, threads)), "those that come later inherit it"
            with suppress(PermissionError):  # only root may: beside other work it would take minutes to go on
                os.setpriority(os.PRIO_PROCESS, watcher.pid, 0)
            wait_until(lambda: page.exists() and '<meta http-equiv="refresh"' in page.read_text(), "a page")
            assert watcher.stdout is not None
            assert "15 of 15 trials, 3 failed" in watcher.stdout.readline()
            watcher.send_signal(signal.SIGINT)
            said, _ = watcher.communicate(timeout=PATIENCE_SECONDS)
        finally:
            watcher.kill()
    assert watcher.returncode == 0
    assert said.splitlines()[-1] == str(page)
    assert '<meta http-equiv="refresh"' not in page.read_text()
