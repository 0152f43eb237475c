"""How much is run in a given time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runner.sweep.tryout import grid
from runner.sweep.tryout.grid import Choice, candidates, choose, max_length
from tests.sweep.tryout.conftest import MakeModel

LABELS = ("negative", "positive")
MANY = ["torch-eager", "onnx", "onnx-int8", "openvino-int8", "torch-int8", "torchscript"]


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "busyness", lambda: 1.0)
    monkeypatch.setattr(grid, "physical_cores", lambda: [0, 1])


Choosing = Callable[..., Choice]


@pytest.fixture
def chosen(own_model: MakeModel) -> Choosing:
    """Return a function that chooses for a tiny model, 100 texts of 80 characters."""

    def choose_for(minutes: float, techniques: list[str] = MANY, **more: Any) -> Choice:
        arguments: dict[str, Any] = {"test_texts": 100, "threads": [], "characters": 80} | more
        return choose(own_model(*LABELS), techniques=techniques, budget_seconds=60 * minutes, **arguments)

    return choose_for


def test_more_time_gives_more_techniques_then_threads_then_rounds(chosen: Choosing) -> None:
    short, usual, long, longer = (chosen(minutes) for minutes in (0.5, 5, 12, 60))
    assert short.techniques == MANY[:3]
    assert short.seconds > 30
    assert len(short.techniques) < len(usual.techniques)
    assert usual.seconds <= 300
    assert (usual.threads, usual.measure) == ([1], "quick")
    assert (long.techniques, long.threads) == (MANY, [1, 2])
    assert longer.measure == "default"


def test_what_was_asked_for_is_never_left_out(chosen: Choosing) -> None:
    choice = chosen(0.5, leave_out=False, threads=[2])
    assert (choice.techniques, choice.threads) == (MANY, [2])


def test_a_busy_machine_gets_less_to_do(chosen: Choosing, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = chosen(5)
    monkeypatch.setattr(grid, "busyness", lambda: 2.0)
    busy = chosen(5)
    assert len(busy.techniques) < len(alone.techniques)


def test_of_very_many_texts_a_sample_is_evaluated(chosen: Choosing) -> None:
    assert chosen(5).max_test_texts is None
    large = chosen(5, test_texts=float("inf"), characters=2000)
    assert large.max_test_texts
    assert large.max_test_texts >= 100
    assert chosen(60, test_texts=float("inf"), characters=2000).max_test_texts > large.max_test_texts


@pytest.mark.parametrize(
    ("characters", "longest", "length"), [(80, None, 128), (800, None, 256), (9000, None, 512), (9000, 128, 128)]
)
def test_texts_are_cut_where_most_of_them_end(characters: float, longest: int | None, length: int) -> None:
    assert max_length(characters, longest) == length


def test_without_vnni_int8_has_seven_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "instruction_sets", lambda: ["avx2"])
    assert "onnx-int8-7bit" in candidates()
    assert "onnx-int8" not in candidates()
    monkeypatch.setattr(grid, "instruction_sets", lambda: ["avx2", "avx512_vnni"])
    assert "onnx-int8-7bit" not in candidates()
    assert candidates()[:3] == ["torch-eager", "onnx", "onnx-int8"]


def test_a_machine_is_as_busy_as_its_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(grid, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(grid, "physical_cores", lambda: [0, 1])
    monkeypatch.setattr(grid, "read_text", lambda path: "0.1 0.2 0.3 1/345 99")
    assert grid.busyness() == 1
    monkeypatch.setattr(grid, "read_text", lambda path: "0.1 0.2 0.3 6/345 99")
    assert grid.busyness() == 3
