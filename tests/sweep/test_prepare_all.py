"""Preparing in parallel: who goes first, one core each, and that an interruption ends it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from runner.config.schema import Config
from runner.isolation import box as isolation_box
from runner.isolation.box import stoppable
from runner.store.sweep_folder import SweepFolder
from runner.sweep import prepare_all as room
from runner.sweep.jobs import Job
from tests.patience import PATIENCE_SECONDS


def a_job(model: str, technique: str) -> Job:
    config = {"model": {"name": model}, "technique": {"name": technique}}
    return Job(f"{model}-{technique}", Config(), config)


JOBS = [a_job(model, technique) for model in ("large", "small") for technique in ("a", "b", "c")]


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "physical_cores", lambda: [4, 5])


def test_the_first_job_of_each_model_goes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_cores: None
) -> None:
    began: list[str] = []
    ended: list[str] = []
    in_use: set[int] = set()
    both_began, small_went_on = threading.Barrier(2), threading.Event()

    def prepare_job(cfg: Config, key: str, folder: SweepFolder, cpus: list[int]) -> None:
        assert len(cpus) == 1
        assert not in_use & set(cpus)
        in_use.update(cpus)
        if not key.endswith("-a"):
            assert f"{key.split('-')[0]}-a" in ended
        began.append(key)
        if key.endswith("-a"):
            both_began.wait(PATIENCE_SECONDS)
        if key == "large-a":
            assert small_went_on.wait(PATIENCE_SECONDS), "a core waits for the other model"
        if key == "small-b":
            small_went_on.set()
        ended.append(key)
        in_use.difference_update(cpus)

    monkeypatch.setattr(room, "prepare_job", prepare_job)
    room.prepare_all(JOBS, SweepFolder(tmp_path))
    assert sorted(ended) == sorted(job.key for job in JOBS)
    assert set(began[:2]) == {"large-a", "small-a"}


def test_what_is_prepared_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_cores: None) -> None:
    done: list[str] = []
    note = tmp_path / "prepared" / "large-a" / "prepared.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"status": "prepare-failed"}')
    monkeypatch.setattr(room, "prepare_job", lambda cfg, key, folder, cpus: done.append(key))
    room.prepare_all(JOBS, SweepFolder(tmp_path))
    assert sorted(done) == ["large-b", "large-c", "small-a", "small-b", "small-c"]


def test_an_interruption_kills_the_boxes_that_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_cores: None
) -> None:
    monkeypatch.setattr(isolation_box, "_stopping", threading.Event())
    running, killed = threading.Event(), threading.Event()

    def prepare_job(cfg: Config, key: str, folder: SweepFolder, cpus: list[int]) -> None:
        with stoppable(killed.set):
            running.set()
            assert killed.wait(PATIENCE_SECONDS)

    def interrupt(*_: Any, **__: Any) -> None:
        assert running.wait(PATIENCE_SECONDS)
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "prepare_job", prepare_job)
    monkeypatch.setattr(room, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        room.prepare_all(JOBS, SweepFolder(tmp_path))
    assert killed.is_set()
    assert isolation_box.is_stopping()
