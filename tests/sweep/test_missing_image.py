"""An image that is missing is built, and the models are made meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runner.config.schema import Config, IsolationConfig, IsolationKind, ModelConfig, SourceConfig, SourceKind
from runner.errors import MachineError
from runner.store.sweep_folder import SweepFolder
from runner.sweep import missing_image
from runner.sweep.jobs import Job


def a_job(kind: IsolationKind = IsolationKind.docker, source: SourceKind | None = SourceKind.package) -> Job:
    model = ModelConfig(name="m", source=SourceConfig(kind=source))
    cfg = replace(Config(), model=model, isolation=IsolationConfig(kind=kind))
    return Job("key", cfg, {"model": {"name": "m"}})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Job]:
    """Stand in for an engine without the image; return the jobs whose models were made meanwhile."""
    jobs: list[Job] = []
    monkeypatch.setattr(missing_image, "connect", object)
    monkeypatch.setattr(missing_image, "has_image", lambda client: False)
    monkeypatch.setattr(missing_image, "DOCKER", tmp_path)
    monkeypatch.setattr(missing_image, "chain_of", lambda cfg: ([], []))
    monkeypatch.setattr(missing_image, "BOX_PYTHON", missing_image.sys.version_info[:2])
    monkeypatch.setattr(missing_image, "make_models", lambda wanted, folder, make: jobs.extend(wanted))
    return jobs


def build(tmp_path: Path, script: str, *jobs: Job) -> None:
    (tmp_path / "image.py").write_text(script)
    plan: Any = SimpleNamespace(jobs=list(jobs))
    missing_image.build_missing_image(plan, SweepFolder(tmp_path))


def test_models_from_pinned_packages_are_made_while_it_is_built(
    made: list[Job], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned, folder = a_job(), a_job(source=SourceKind.folder)
    build(tmp_path, "print('image: built')", pinned, folder)
    assert made == [pinned]
    assert "image: built" in capsys.readouterr().err


def test_with_another_python_than_the_image_s_no_model_is_made(
    made: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_image, "BOX_PYTHON", (2, 7))
    build(tmp_path, "print('image: built')", a_job())
    assert made == []


def test_if_it_cannot_be_built_the_reason_is_told(made: list[Job], tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"(?s)cannot be built.*no space"):
        build(tmp_path, "import sys; sys.exit('no space')", a_job())


def test_process_boxes_need_no_image(made: list[Job], tmp_path: Path) -> None:
    build(tmp_path, "raise SystemExit(1)", a_job(IsolationKind.process))
    assert made == []


def test_an_image_that_is_there_is_taken(made: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing_image, "has_image", lambda client: True)
    build(tmp_path, "raise SystemExit(1)", a_job())
    assert made == []
