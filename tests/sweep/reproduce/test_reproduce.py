"""Reproducing a recorded sweep: what is run, what is refused, what is said."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.diff.compare import diff
from runner.diff.join import Side
from runner.errors import UserError
from runner.results.recorded import Recorded, command, recorded
from runner.results.tables import Tables
from runner.sweep.reproduce import image
from runner.sweep.reproduce.outcome import is_float32, outcome_lines
from runner.sweep.reproduce.run import reproduce
from tests.diff.sweeps import JOBS, sweep
from tests.results.in_memory import write_all

OVERRIDES = ["grid=demo", "measure=default", "isolation.kind=auto", "store=outputs/other"]


def _recorded(**environment: Any) -> Tables:
    tables = sweep(lock_sha256="1" * 64, base_id="sha256:b", code_version="abc+123", **environment)
    return replace(tables, manifest=tables.manifest | {"overrides": OVERRIDES})


@pytest.fixture
def recipe() -> Recorded:
    return recorded(_recorded())


def test_the_command_has_the_recorded_overrides_box_image_and_store(recipe: Recorded) -> None:
    line = command(recipe, recipe.image_id, recipe.store, Path("outputs/x's"))
    assert line[1:4] == ["-m", "runner", "-m"]
    assert line[4:] == [
        "grid=demo",
        "measure=default",
        "isolation.kind=docker",
        "isolation.image='sha256:1'",
        "store=outputs/other",
        r"hydra.sweep.dir='outputs/x\'s'",
    ]


def test_mixed_boxes_are_left_to_the_overrides(recipe: Recorded) -> None:
    assert not any(
        "kind" in part for part in command(replace(recipe, isolation="docker, process"), None, Path(), Path())
    )


def test_a_sweep_without_overrides_is_refused() -> None:
    with pytest.raises(UserError, match="older Pinbox"):
        recorded(sweep())


def test_what_is_still_in_the_store(recipe: Recorded, tmp_path: Path) -> None:
    (tmp_path / "contents" / "onnx40").mkdir(parents=True)
    assert replace(recipe, store=tmp_path).stored() == {"onnx40"}


def test_an_image_of_another_lock_cannot_be_rebuilt_here(recipe: Recorded) -> None:
    image.check_lock(recipe, "1" * 64)
    with pytest.raises(UserError, match="git checkout abc"):
        image.check_lock(recipe, "2" * 64)


def test_a_rebuilt_image_says_what_is_known_to_be_identical(recipe: Recorded) -> None:
    assert "built again and identical" in image.rebuilt_line(recipe, "sha256:1", "sha256:b")
    assert "Lock file identical, base image identical" in image.rebuilt_line(recipe, "sha256:2", "sha256:b")
    assert "not the recorded one" in image.rebuilt_line(recipe, "sha256:2", "sha256:c")


def test_processes_need_no_image(recipe: Recorded) -> None:
    assert image.find_image(replace(recipe, isolation="process"))[0] is None


def test_float32_is_what_the_engine_says_or_the_steps_show() -> None:
    def side(precision: str | None, *steps: str) -> Side:
        return Side({}, [{"precision": precision}], [], [(step, {}) for step in steps])

    assert is_float32(side("float32", "onnx-dynamic-int8"))
    assert not is_float32(side("int8"))
    assert is_float32(side(None, "onnx-export"))
    assert not is_float32(side(None, "onnx-export", "onnx-dynamic-int8"))
    assert not is_float32(side(None))


def test_the_same_again(recipe: Recorded) -> None:
    lines = outcome_lines(diff(_recorded(), sweep(seed=1)), recipe, frozenset({"onnx40"}))
    assert lines[0] == "Jobs: the recorded 3, with the same settings."
    assert "3 of 3 jobs" in lines[1]
    assert lines[1].endswith("identical byte for byte: 1 reused from the store, 2 made again.")


def test_what_is_not_the_same_is_named(recipe: Recorded) -> None:
    before = replace(_recorded(), results=_with_precision(_recorded()))
    again = sweep([JOBS[0], replace(JOBS[1], wrong=41, setting="-f"), JOBS[2]])
    text = "\n".join(outcome_lines(diff(before, replace(again, results=_with_precision(again))), recipe, frozenset()))
    assert "Jobs: 1 differ" in text
    assert "git checkout abc" in text
    assert "Another artifact: onnx · 1 thread" in text
    assert "Predictions: differ in 1 of 3 float32 jobs (they must not)." in text
    assert "Other predictions: onnx · 1 thread" in text


def _with_precision(tables: Tables) -> Any:
    column = tables.results.schema.get_field_index("precision")
    values = tables.results["precision"].fill_null("float32")
    return tables.results.set_column(column, tables.results.schema.field(column), values)


@pytest.mark.parametrize(("ended", "wrong", "code"), [(0, 40, 0), (1, 40, 0), (0, 41, 1)])
def test_the_exit_code_is_the_diffs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: int, wrong: int, code: int
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    write_all(_recorded(), old)

    def run(line: list[str]) -> subprocess.CompletedProcess[str]:
        new.mkdir()
        write_all(sweep([JOBS[0], replace(JOBS[1], wrong=wrong), JOBS[2]], seed=1), new)
        return subprocess.CompletedProcess(line, ended)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("runner.sweep.reproduce.run.find_image", lambda recipe: (recipe.image_id, "Image: here."))
    assert reproduce(old, new, rebuild=False) == code
    assert (new / "diff.json").exists()


def test_a_sweep_that_cannot_run_and_a_folder_on_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(_recorded(), tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda line: subprocess.CompletedProcess(line, 2))
    monkeypatch.setattr("runner.sweep.reproduce.run.find_image", lambda recipe: (None, "Image: none."))
    with pytest.raises(UserError, match="exit code 2"):
        reproduce(tmp_path, tmp_path / "new", rebuild=True)
    with pytest.raises(UserError, match="recorded sweep itself"):
        reproduce(tmp_path, tmp_path, rebuild=False)
