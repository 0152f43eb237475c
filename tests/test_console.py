"""What a terminal shows, and what a log does."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from runner import console
from tests.patience import wait_until


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Stand in for a file to which the output goes."""
    file = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=file, width=60, soft_wrap=True))
    monkeypatch.setattr(console, "_region", console._Region())
    return file


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    file = io.StringIO()
    monkeypatch.setattr(console, "console", Console(file=file, width=60, soft_wrap=True, force_terminal=True))
    monkeypatch.setattr(console, "_region", console._Region())
    yield file
    console.end_region()


def test_in_a_log_everything_is_a_line(log: io.StringIO) -> None:
    with console.stage("image", 100):
        console.announce("downloading [bold]")
        console.show_table("a table")
    console.end_region()
    assert log.getvalue() == "image: usually 2 min\ndownloading [bold]\na table\nimage: done, 1 s\n"


def test_a_status_line_replaces_the_one_before(terminal: io.StringIO) -> None:
    console.announce("first")
    console.announce("second")
    console.say("a line that stays")
    assert terminal.getvalue().count("first") == 1
    assert "\x1b[2K" in terminal.getvalue(), "the line is erased"
    after = terminal.getvalue().rpartition("a line that stays")[2]
    assert "second" in after, "the status line comes back below what was printed"


def test_a_long_status_stays_on_one_line(terminal: io.StringIO) -> None:
    console.announce("x" * 200)
    assert "x" * 59 in terminal.getvalue()
    assert "x" * 60 not in terminal.getvalue()


def test_the_table_stays_above_the_status(terminal: io.StringIO) -> None:
    console.show_table("a table")
    console.announce("trial 2")
    assert terminal.getvalue().count("a table") == 2
    last = terminal.getvalue().rpartition("a table")[2]
    assert "trial 2" in last


def test_a_clock_moves_while_a_stage_lasts(terminal: io.StringIO) -> None:
    with console.stage("image", 100):
        wait_until(lambda: "image, 1 s (usually 2 min)" in terminal.getvalue())
    assert "image: done" in terminal.getvalue()


def test_nothing_moves_after_a_stage(terminal: io.StringIO) -> None:
    with console.stage("image", 100):
        pass
    assert all(thread.name == "MainThread" or thread.daemon for thread in threading.enumerate())
    console.end_region()
    before = terminal.getvalue()
    console.end_region()
    assert terminal.getvalue() == before


def test_the_cursor_is_never_hidden(terminal: io.StringIO) -> None:
    """A command that is killed could not show it again."""
    console.announce("first")
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert terminal.getvalue().rfind(hidden) < terminal.getvalue().rfind(shown)


def test_only_the_status_of_a_command_can_be_shown(log: io.StringIO) -> None:
    """A command that runs another one prints lines of its own."""
    console.show_only_status()
    with console.stage("image", 100):
        console.announce("trial 1")
        console.detail("2 rounds")
        console.say("onnx failed")
    assert log.getvalue() == "onnx failed\n"


def test_the_status_is_shown_on_a_terminal(terminal: io.StringIO) -> None:
    console.show_only_status()
    console.announce("trial 1")
    console.detail("2 rounds")
    assert "trial 1" in terminal.getvalue()
    assert "2 rounds" not in terminal.getvalue()
