"""A stop stays a stop, also where cleaning up after it fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from hydra_plugins.pinbox_sweeper import sweeper
from runner.config.schema import Config
from runner.errors import MachineError, exit_code_of, stop_before
from runner.results.records.plan import Role, TrialSpec
from runner.results.records.trial import TrialRecord
from runner.store.sweep_folder import SweepFolder
from runner.sweep import trial

STOPS = [(KeyboardInterrupt(), 130), (SystemExit(143), 143)]


def torn_by(stop: BaseException) -> NoReturn:
    """Raise what Hydra does if a stop comes while it composes: an error without a word, of one in cleaning up."""
    try:
        try:
            raise stop
        finally:
            None.clean_up()  # type: ignore[attr-defined]
    except AttributeError as error:
        raise ConfigCompositionException from error


@pytest.mark.parametrize(("stop", "code"), STOPS)
def test_a_stop_is_found_behind_what_came_after_it(stop: Any, code: int) -> None:
    with pytest.raises(ConfigCompositionException) as raised:
        torn_by(stop)
    assert stop_before(raised.value) is stop
    assert exit_code_of(stop) == code
    assert stop_before(ValueError("of its own")) is None


@pytest.mark.parametrize(("stop", "code"), STOPS)
def test_a_sweep_that_is_stopped_writes_its_tables_and_says_so(
    stop: BaseException, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finished: list[SweepFolder] = []
    monkeypatch.setattr(sweeper, "run", lambda *given, **named: torn_by(stop))
    monkeypatch.setattr(sweeper, "finish", finished.append)
    with pytest.raises(SystemExit) as ended:
        a_sweeper(tmp_path, monkeypatch).sweep([])
    assert ended.value.code == code
    assert finished == [SweepFolder(tmp_path)]
    assert "the same command goes on from here" in capsys.readouterr().err


def test_what_fails_in_writing_them_is_not_taken_for_the_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: SweepFolder) -> int:
        raise MachineError("Nothing more can be written.")

    monkeypatch.setattr(sweeper, "run", lambda *given, **named: torn_by(KeyboardInterrupt()))
    monkeypatch.setattr(sweeper, "finish", full)
    with pytest.raises(MachineError) as raised:
        a_sweeper(tmp_path, monkeypatch).sweep([])
    assert stop_before(raised.value) is None


def test_a_trial_that_is_stopped_did_not_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_measure", lambda *given: torn_by(KeyboardInterrupt()))
    spec = TrialSpec("job", 0, 0, Role.variant, None)
    with pytest.raises(KeyboardInterrupt):
        trial._attempt(TrialRecord(status="crashed"), Config(), spec, [0], SweepFolder(tmp_path))


def a_sweeper(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return one with an empty plan."""
    # Hydra imports its own plugins anew, with other classes, so that their __init__ may not take ours.
    made = sweeper.PinboxSweeper.__new__(sweeper.PinboxSweeper)
    made._fresh, made._retry, made._collect, made._cluster, made.launcher = False, None, True, None, None
    made.config = OmegaConf.create({"hydra": {"sweep": {"dir": str(folder)}, "overrides": {"hydra": []}}})
    monkeypatch.setattr(made, "plan", lambda arguments: SimpleNamespace(slots=[], blocks=[]), raising=False)
    return made
