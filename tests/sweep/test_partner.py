"""The partner of a round: opened once, shared, replaced, closed, and what happens when it cannot start."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.sweep import partner
from runner.sweep.partner import PartnerFailedError, close_partner, open_partner
from runner.trial.turns import TO_PARTNER
from tests.patience import PATIENCE_SECONDS


class FakeBox(Box):
    """Gets ready at once and stays until its pipe is closed; or ends at once, badly."""

    kind = "fake"

    def __init__(self, log: str = "") -> None:
        self.log, self.runs = log, 0

    def run(self, order: BoxOrder) -> BoxEnd:
        self.runs += 1
        if not self.log:
            with (order.output / TO_PARTNER).open("rb") as pipe:
                (order.output / "ready").touch()
                pipe.read()
        return BoxEnd(1 if self.log else 0, False, False, self.log)

    def memory_limit(self, memory_bytes: int) -> int | None:
        return None


ORDER = BoxOrder("runner.trial", {}, {}, Path(), [0], timeout_seconds=PATIENCE_SECONDS)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_partner()
    partner._failed.clear()


def test_the_trials_of_a_round_share_a_partner_and_the_next_round_has_its_own(tmp_path: Path) -> None:
    box = FakeBox()
    first = open_partner("job-r0", box, ORDER, tmp_path)
    assert open_partner("job-r0", box, ORDER, tmp_path) is first
    second = open_partner("job-r1", box, ORDER, tmp_path)
    assert second is not first
    assert not first.is_open()
    assert not first.folder.exists()
    assert box.runs == 2
    close_partner()
    assert not second.is_open()
    assert list(tmp_path.iterdir()) == []


def test_one_that_ended_is_opened_anew(tmp_path: Path) -> None:
    box = FakeBox()
    first = open_partner("job-r0", box, ORDER, tmp_path)
    first.close()
    assert open_partner("job-r0", box, ORDER, tmp_path) is not first


def test_one_that_cannot_start_says_why_and_is_not_tried_for_every_trial(tmp_path: Path) -> None:
    box = FakeBox(log="Traceback …\nMemoryError")
    for _ in range(2):
        with pytest.raises(PartnerFailedError, match="exit code 1: MemoryError"):
            open_partner("job-r0", box, ORDER, tmp_path)
    assert box.runs == 1
    assert list(tmp_path.iterdir()) == []


def test_one_that_does_not_get_ready_in_time(tmp_path: Path) -> None:
    class Slow(FakeBox):
        def run(self, order: BoxOrder) -> BoxEnd:
            time.sleep(0.3)
            return BoxEnd(0, False, False, "")

    order = BoxOrder("runner.trial", {}, {}, Path(), [0], timeout_seconds=0.1)
    with pytest.raises(PartnerFailedError, match=r"exit code 0|in time"):
        open_partner("job-r0", Slow(), order, tmp_path)


def test_the_durations_of_a_session(tmp_path: Path) -> None:
    opened = open_partner("job-r0", FakeBox(), ORDER, tmp_path)
    calls = {"latency_seconds": [0.1, 0.2], "tokenize_seconds": [0.01, 0.02]}
    (opened.folder / "77.json").write_text(json.dumps(calls))
    assert opened.calls(77).latency_seconds == [0.1, 0.2]
    assert opened.calls(77).tokenize_seconds == [0.01, 0.02]
    assert opened.calls(78).latency_seconds is None
