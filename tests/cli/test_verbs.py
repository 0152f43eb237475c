"""The command `pinbox`: its verbs, and what `sweep` tells Hydra."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from runner.cli import verbs
from runner.cli.sweep import hydra_arguments
from runner.cli.verbs import VERBS

ROOT = Path(__file__).parents[2]


def run(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    monkeypatch.setattr("sys.argv", ["pinbox", *arguments])
    with pytest.raises(SystemExit) as end:
        verbs.main()
    return end.value.code


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_a_module_that_does_it(verb: str) -> None:
    assert callable(importlib.import_module(VERBS[verb].module).main)


def test_the_makefile_calls_verbs_that_exist() -> None:
    called = set(re.findall(r"bin/pinbox ([a-z]+)", (ROOT / "Makefile").read_text()))
    assert called == set(VERBS) - {"run", "image", "completion"}  # one job, set-up, and a matter of the shell


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"run", "image"}))
def test_a_verb_explains_itself(verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help", monkeypatch=monkeypatch) == 0
    assert f"usage: pinbox {verb}" in capsys.readouterr().out


def test_a_mistyped_verb_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("swep", "grid=demo", monkeypatch=monkeypatch) == 2
    assert "there is no verb 'swep'. Did you mean 'sweep'?" in capsys.readouterr().err


def test_a_job_without_a_verb_is_told_where_to_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("model=tiny", monkeypatch=monkeypatch) == 2
    assert "pinbox run model=tiny" in capsys.readouterr().err


def test_options_of_sweep_become_hydra_s() -> None:
    told = hydra_arguments(
        ["grid=smoke", "--out", "it's here", "--fresh", "threads=1,2", "--retry", "failed", "--launcher", "slurm"]
    )
    assert told == [
        "-m",
        *("grid=smoke", "threads=1,2"),
        *(r"hydra.sweep.dir='it\'s here'", "hydra.sweeper.fresh=true", "hydra.sweeper.retry=failed"),
        "hydra/launcher=slurm",
    ]


def test_sweep_alone_runs_the_demo() -> None:
    assert hydra_arguments([]) == ["-m", "grid=demo"]
