"""The command `pinbox`: its verbs and their options, what it says to a slip, how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from runner.cli.parameters import budget_seconds
from runner.cli.pinbox import VERBS, main, pinbox
from runner.errors import UserError

ROOT = Path(__file__).parents[2]
HEAVY = {"docker", "hydra", "numpy", "omegaconf", "pandas", "plotly", "pyarrow", "torch"}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_explains_itself(verb: click.Command, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(verb.name), "-h"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"Usage: pinbox {verb.name}")
    assert all(getattr(parameter, "help", None) for parameter in verb.params), told


def test_help_names_each_verb_with_a_whole_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    for verb in VERBS:
        (line,) = [line for line in lines if line.startswith(f"  {verb.name} ")]
        assert line.endswith(".")
        assert not line.endswith("...")
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, runner.cli.pinbox; print(*{HEAVY} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == ""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("swep grid=demo", "No such command 'swep'. Did you mean 'sweep'?"),
        ("model=tiny task=alice", "To measure one job: pinbox run model=tiny task=alice"),
        ("recommend outputs/demo --max-p90 3", "No such option '--max-p90'. (Did you mean one of: '--max-p90-ms'"),
        ("sweep --fersh", "Did you mean '--fresh'?"),
        ("sweep --fresh", "There is nothing to measure. Name a grid, such as grid=demo"),
        ("sweep --retry all", "'all' is not 'failed'."),
        ("diff a b --fail-on slowr", "'slowr' is not one of 'any', 'slower', 'larger', 'lower-score'."),
        ("export a onnx", "Missing argument 'TO'."),
        ("search --model tiny --task alice --budget 3", "--budget is '3', but must be a time such as 90s"),
        ("search --model tiny --task alice --techniques onx", "there is no technique 'onx'. Did you mean 'onnx'?"),
        ("capacity --model tiny --task alice --slo-p99-ms 0", "--slo-p99-ms is 0, but must be above 0"),
        ("capacity --model tiny --task alice --cores 4096", "--cores is 4096, but only"),
        ("load-test absent onnx http://127.0.0.1:8000", "absent"),
        ("report \x1b[2Jabsent", "pinbox:  [2Jabsent"),
    ],
)
def test_a_slip_is_one_line_on_stderr_and_exit_code_2(
    line: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.split(" ")) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("pinbox: ")
    assert told in printed.err
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_with_130_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(folder: Path, code: bool) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.cli.init.command.write_example", interrupted)
    assert main(["init", str(tmp_path)]) == 130
    assert capsys.readouterr().err.strip() == ""


def test_the_version() -> None:
    said = subprocess.check_output([sys.executable, "-m", "runner.cli", "--version"], cwd=ROOT, text=True)
    assert said.startswith("pinbox 0.")


def hydra_arguments(line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a command line tells Hydra."""
    monkeypatch.setattr("sys.argv", ["untouched"])
    monkeypatch.setattr("runner.__main__.main", lambda: None)
    assert main(line.split()) == 0
    return sys.argv


def test_options_of_sweep_become_hydra_s(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "sweep grid=smoke --out it's --fresh threads=1,2 --retry failed --launcher slurm --config-dir mine ~x"
    assert hydra_arguments(line, monkeypatch) == [
        *("pinbox", "-m", "--config-dir", "mine", "grid=smoke", "threads=1,2", "~x"),
        *(r"hydra.sweep.dir='it\'s'", "hydra.sweeper.fresh=true", "hydra.sweeper.retry=failed"),
        "hydra/launcher=slurm",
    ]


def test_sweep_without_a_grid_expands_what_is_named_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hydra_arguments("sweep model=tiny technique=onnx,onnx-int8", monkeypatch) == [
        *("pinbox", "-m", "model=tiny", "technique=onnx,onnx-int8", "hydra.sweep.dir=outputs/sweep"),
    ]
    assert hydra_arguments("sweep model=tiny --out here", monkeypatch)[-1] == "hydra.sweep.dir=here"


def test_run_hands_on_what_it_is_given_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "run model=tiny --cfg job threads=2 --resolve -cd mine"
    assert hydra_arguments(line, monkeypatch) == ["pinbox", *line.split()[1:]]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400)])
def test_a_budget_has_a_unit(text: str, seconds: float) -> None:
    assert budget_seconds(text) == seconds


@pytest.mark.parametrize("text", ["30", "m", "-1m", "0s", "1d"])
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="such as 90s, 30m or 2h"):
        budget_seconds(text)


def test_names_of_verbs_are_unique() -> None:
    assert len(pinbox.commands) == len(VERBS)
