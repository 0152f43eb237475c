"""`pinbox try` as a person uses it: a real, tiny model in process boxes, and what it says to slips."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.pinbox import main
from runner.results.records.plan import read_plan
from runner.store.sweep_folder import SweepFolder
from runner.tasks.texts import read_labels, read_split
from tests.patience import PATIENCE_SECONDS
from tests.sweep.tryout.conftest import write_model
from tests.techniques.conftest import save_random, write_toy_texts

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("try", "Missing argument 'MODEL'."),
        ("try critic --budget 5", "--budget is '5', but must be a time such as 90s"),
        ("try critic --threads two", "--threads is 'two', but must be numbers"),
        ("try critic --threads 1,999", "threads is 999, but only"),
        ("try critic --techniques onx", "--techniques: there is no technique 'onx'. Did you mean 'onnx'?"),
        ("try critic --kind labels", "'labels' is not one of 'single-label'"),
        ("try critc", "There is no folder critc."),
        ("try critic absent.csv", "TEXTS: cannot read absent.csv: No such file or directory"),
        ("try critic .", "TEXTS: cannot read .: Is a directory"),
        ("try critic films.docx", "TEXTS: films.docx: the name 'films.docx' ends in '.docx'. Allowed: .csv"),
        ("try critic latin.csv", "reads as it should, say --encoding=cp1252"),
        ("try critic films.csv --label-column nr", "If column 'nr' holds no labels of the model, say --label-column"),
        ("try critic films.csv --labels bad,good", "--labels is bad, good, but"),
    ],
)
def test_a_slip_names_the_option_to_mend_it(
    line: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "critic", "negative", "positive")
    (tmp_path / "films.csv").write_text("nr,text,label\n1,a film to see,positive\n2,a film to miss,negative\n")
    (tmp_path / "films.docx").write_text("no table")
    (tmp_path / "latin.csv").write_bytes("text,label\ncafé,positive\n".encode("cp1252"))
    assert main(line.split()) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "outputs").exists()


def pinbox(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, without an engine."""
    environment = os.environ | {"DOCKER_HOST": f"unix://{folder}/none.sock", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


@pytest.mark.sweep
def test_a_first_answer_and_the_yaml_of_exactly_that_sweep(tmp_path: Path) -> None:
    texts = write_toy_texts(tmp_path / "toy")
    save_random(tmp_path / "critic", texts, "bert")
    with (tmp_path / "films.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "verdict", "split"])
        labels = read_labels(texts)
        writer.writerows([one.text, labels[one.label], "test"] for one in read_split(texts, "test"))
    line = ["try", "critic", "films.csv", "--techniques", "onnx,onnx-int8", "--threads", "1", "--budget", "30m"]

    done = pinbox(tmp_path, "runner.cli", *line)
    assert done.returncode == 0, done.stderr
    assert "Labels: column 'verdict' (negative, neutral, positive)" in done.stderr
    assert "→ " in done.stdout, "the recommendation"
    assert "Limits: accuracy ≥" in done.stdout
    command = done.stdout.splitlines()[-1].split()
    folder = SweepFolder(tmp_path / "outputs/try-critic-films/sweep")
    plan = read_plan(folder)
    assert {job.technique for job in plan.jobs} == {"torch-eager", "onnx", "onnx-int8"}

    again = pinbox(tmp_path, "runner.cli", *command[1:])
    assert again.returncode == 0, again.stderr
    assert f"{len(plan.trials)} of them done before" in again.stderr
    assert read_plan(folder).jobs == plan.jobs
