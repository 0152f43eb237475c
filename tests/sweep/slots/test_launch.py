"""Several rounds at once: which slot, beside whom, alone when it must be, and how all of it ends."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from runner.errors import MachineError, UserError
from runner.results.records.plan import Role, TrialSpec
from runner.sweep.slots import launch
from runner.sweep.slots.launch import InSlots
from runner.sweep.slots.slot import Slot, slots_beside, this_slot
from tests.patience import PATIENCE_SECONDS, wait_until

FORK = multiprocessing.get_context("fork")
SLOTS = [Slot(0, [0, 1]), Slot(1, [2, 3])]
Trials = list[TrialSpec]


@pytest.fixture(autouse=True)
def not_pinned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(launch, "_pin", lambda slot: None)
    yield
    assert this_slot() is slots_beside() is None, "only a slot's own process is in a slot"


def a_round(number: int, block: str = "a", variants: int = 1) -> Trials:
    """Return the trials of a round, and its pair alone."""
    roles = [Role.baseline_first, *[Role.variant] * variants, Role.baseline_last, Role.alone_first, Role.alone_last]
    return [
        TrialSpec(f"v{place}" if role is Role.variant else block, number, place, role, block)
        for place, role in enumerate(roles)
    ]


class Diary:
    """What is measured writes when, where and beside how many it was."""

    def __init__(self, folder: Path, seconds: float = 0.05) -> None:
        self.folder, self.seconds = folder, seconds

    def __call__(self, batch: Trials, first: int) -> None:
        for number, name in enumerate((trial.name for trial in batch), first):
            (self.folder / f"{name}.began").write_text(str(os.getpid()))
            began, beside = time.monotonic(), slots_beside()
            time.sleep(self.seconds)
            entry = {"number": number, "slot": this_slot(), "beside": beside, "pid": os.getpid()}
            (self.folder / f"{name}.json").write_text(json.dumps(entry | {"span": (began, time.monotonic())}))

    def entries(self) -> dict[str, dict[str, Any]]:
        return {path.stem: json.loads(path.read_text()) for path in self.folder.glob("*.json")}

    def began(self) -> list[Path]:
        return list(self.folder.glob("*.began"))


def overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["span"][0] < other["span"][1] and other["span"][0] < one["span"][1])


def test_rounds_are_measured_at_once_each_in_one_slot_and_pairs_alone_by_themselves(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    batch = [trial for number in range(4) for trial in a_round(number, variants=2)]

    def run(trials: Trials, first: int) -> None:
        """Let no round go on before the one in the other slot has begun, however busy the machine."""
        if trials[0].role is Role.baseline_first:
            number = trials[0].round
            (tmp_path / f"round-{number}").touch()
            wait_until((tmp_path / f"round-{number ^ 1}").exists, "the other slot's round")
        diary(trials, first)

    InSlots(SLOTS, ["a"], run)(batch, 0)
    found = diary.entries()
    assert len(found) == len(batch)
    assert sorted(entry["number"] for entry in found.values()) == list(range(len(batch)))
    for name, entry in found.items():
        number = int(name.partition("-r")[2].partition("-")[0])
        assert entry["slot"] == number % 2
        if "alone" in name:
            assert entry["beside"] == 0
            assert not any(overlap(entry, other) for own, other in found.items() if own != name)
    rounds = {name: entry for name, entry in found.items() if "alone" not in name}
    assert any(
        overlap(one, other) for one in rounds.values() for other in rounds.values() if one["slot"] < other["slot"]
    )
    assert {entry["beside"] for entry in rounds.values()} >= {1}
    for number in range(4):
        assert len({entry["pid"] for name, entry in rounds.items() if f"-r{number}-" in name}) == 1


def test_half_of_the_pairs_alone_come_before_and_half_after(tmp_path: Path) -> None:
    diary = Diary(tmp_path, seconds=0.01)
    InSlots(SLOTS, ["a"], diary)([trial for number in range(4) for trial in a_round(number)], 0)
    found = diary.entries()
    began = {name: entry["span"][0] for name, entry in found.items()}
    middle = [when for name, when in began.items() if "alone" not in name]
    for number in range(4):
        alone = began[f"a-r{number}-alone-first"]
        assert alone < min(middle) if number < 2 else alone > max(middle)


def test_blocks_of_one_round_get_different_slots(tmp_path: Path) -> None:
    diary = Diary(tmp_path, seconds=0)
    InSlots(SLOTS, ["a", "b"], diary)([*a_round(0, "a")[:3], *a_round(0, "b")[:3]], 0)
    found = diary.entries()
    assert (found["a-r0-baseline-first"]["slot"], found["b-r0-baseline-first"]["slot"]) == (0, 1)


def test_what_one_slot_raises_stops_the_others_and_is_raised(tmp_path: Path) -> None:
    diary = Diary(tmp_path, seconds=PATIENCE_SECONDS)

    def run(batch: Trials, first: int) -> None:
        if this_slot() == 0:
            wait_until(lambda: len(diary.began()) == 1)
            raise OSError(errno.ENOSPC, "No space left on device", "trial.json")
        diary(batch, first)

    with pytest.raises(MachineError, match=r"Nothing more can be written \(trial.json\)"):
        InSlots(SLOTS, ["a"], run)([*a_round(0)[:3], *a_round(1)[:3]], 0)
    assert diary.entries() == {}
    assert all(gone(path) for path in diary.began())


def test_an_error_of_ours_keeps_its_trace_and_one_for_people_its_words(tmp_path: Path) -> None:
    def wrong(batch: Trials, first: int) -> None:
        raise UserError("no such thing") if this_slot() else KeyError("lost")

    with pytest.raises(RuntimeError, match=r"test_launch.py(.|\n)*KeyError: 'lost'"):
        InSlots(SLOTS, ["a"], wrong)(a_round(0)[:3], 0)
    with pytest.raises(UserError, match=r"^no such thing$"):
        InSlots(SLOTS, ["a"], wrong)(a_round(1)[:3], 0)


def test_a_slot_that_is_killed_stops_the_sweep(tmp_path: Path) -> None:
    def run(batch: Trials, first: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(MachineError, match=r"Slot 2 was ended from outside \(exit code -9\)"):
        InSlots(SLOTS, ["a"], run)(a_round(1)[:3], 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_slots_through_their_finally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    diary = Diary(tmp_path, seconds=PATIENCE_SECONDS)

    def run(batch: Trials, first: int) -> None:
        try:
            diary(batch, first)
        finally:
            (tmp_path / f"cleaned-{this_slot()}").touch()

    raised = in_a_process(lambda: interrupted(InSlots(SLOTS, ["a"], run), diary, number))
    assert isinstance(raised, KeyboardInterrupt if number is signal.SIGINT else SystemExit)
    assert {path.name for path in tmp_path.glob("cleaned-*")} == {"cleaned-0", "cleaned-1"}
    assert diary.entries() == {}
    assert all(gone(path) for path in diary.began())


def test_told_twice_slots_that_do_not_end_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diary = Diary(tmp_path, seconds=PATIENCE_SECONDS)

    def run(batch: Trials, first: int) -> None:
        try:
            diary(batch, first)
        finally:
            (tmp_path / f"cleaning-{this_slot()}").touch()
            time.sleep(PATIENCE_SECONDS)

    def both_clean_up() -> bool:
        return len(list(tmp_path.glob("cleaning-*"))) == 2

    monkeypatch.setattr(launch, "_EXIT_SECONDS", PATIENCE_SECONDS)
    raised = in_a_process(lambda: interrupted(InSlots(SLOTS, ["a"], run), diary, signal.SIGINT, both_clean_up))
    assert isinstance(raised, KeyboardInterrupt)
    assert not list(tmp_path.glob("*.json"))
    assert all(gone(path) for path in diary.began())


def test_ctrl_c_in_a_terminal_reaches_the_slots_too_and_does_not_end_them_twice(tmp_path: Path) -> None:
    def run(batch: Trials, first: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        (tmp_path / "went on").touch()

    InSlots(SLOTS, ["a"], run)(a_round(0)[:3], 0)
    assert (tmp_path / "went on").exists()


@pytest.mark.parametrize("thread", ["ours", "another"])
def test_a_signal_during_a_fork_is_put_off_whichever_thread_gets_it(thread: str) -> None:
    def fork() -> list[str]:
        inside: list[str] = []
        forking, ours = threading.Event(), threading.get_ident()

        def send() -> None:
            forking.wait(PATIENCE_SECONDS)
            signal.pthread_kill(threading.get_ident() if thread == "another" else ours, signal.SIGINT)

        def hold() -> None:
            with launch._postponed_signals():
                forking.set()
                sender.join()
                inside.append("went on")

        sender = threading.Thread(target=send)
        sender.start()  # before: a thread inherits what is blocked
        with pytest.raises(KeyboardInterrupt):
            hold()
        return inside

    assert in_a_process(fork) == ["went on"]


def in_a_process(act: Callable[[], Any]) -> Any:
    """Return what `act` returns in a process of its own: the signals that it sends itself must not reach pytest's."""
    ours, its = FORK.Pipe(duplex=False)
    process = FORK.Process(target=lambda: its.send(act()))
    process.start()
    its.close()
    try:
        return ours.recv()
    finally:
        process.join()


def interrupted(
    in_slots: InSlots, diary: Diary, number: signal.Signals, again_when: Callable[[], bool] | None = None
) -> BaseException:
    """Run two rounds, send ourselves a signal when both are at work, perhaps a second one when a condition holds, and
    return what was raised."""

    def send() -> None:
        wait_until(lambda: len(diary.began()) == 2)
        os.kill(os.getpid(), number)
        if again_when is not None:
            wait_until(again_when)
            os.kill(os.getpid(), number)

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    sender = threading.Thread(target=send)
    before = signal.signal(signal.SIGTERM, end)
    sender.start()
    try:
        with pytest.raises((KeyboardInterrupt, SystemExit)) as raised:
            in_slots([*a_round(0)[:3], *a_round(1)[:3]], 0)
        sender.join()
    finally:
        signal.signal(signal.SIGTERM, before)
    return raised.value


def gone(began: Path) -> bool:
    return not Path(f"/proc/{began.read_text()}").exists()
