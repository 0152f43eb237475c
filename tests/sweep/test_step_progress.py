"""What a step in a box says meanwhile reaches whoever waits."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runner.sweep import step_progress
from runner.sweep.step_progress import tail_progress
from tests.patience import PATIENCE_SECONDS


def test_every_new_line_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_progress, "_POLL_SECONDS", 0.01)
    said: list[str] = []
    heard = threading.Semaphore(0)

    def say(line: str) -> None:
        said.append(line)
        heard.release()

    path = tmp_path / "progress.txt"
    with tail_progress(path, say):
        for line in ("10%, loss 0.9", "20%, loss 0.8", "20%, loss 0.8", "30%, loss 0.7"):
            path.write_text(line)
            if line not in said:
                assert heard.acquire(timeout=PATIENCE_SECONDS)
    assert said == ["10%, loss 0.9", "20%, loss 0.8", "30%, loss 0.7"]


def test_a_step_that_says_nothing_is_no_trouble(tmp_path: Path) -> None:
    before = threading.active_count()
    with tail_progress(tmp_path / "none.txt", print):
        pass
    assert threading.active_count() == before
