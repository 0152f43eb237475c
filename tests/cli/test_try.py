"""`pinbox try` as a person uses it: a real, tiny model in process boxes, and what it says to slips."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli.pinbox import main
from runner.results.records.plan import read_plan
from runner.store.sweep_folder import SweepFolder
from runner.sweep.tryout.grid import candidates
from runner.tasks.texts import read_labels, read_split
from tests.patience import PATIENCE_SECONDS
from tests.sweep.tryout.conftest import write_model
from tests.techniques.conftest import apply_step, save_random, write_toy_texts

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
        ("try critic latin.csv", "reads as it should, set --encoding=cp1252"),
        ("try critic films.csv --label-column nr", "If column 'nr' holds no labels of the model, use --label-column"),
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


def shorten_measuring(folder: Path) -> None:
    """Write settings into the folder's own conf/ with which measuring takes seconds, whatever the budget allows."""
    measure = folder / "conf" / "measure"
    measure.mkdir(parents=True)
    for name in ("quick", "default"):
        settings = "rounds: 2\nreruns: 0\ntimed_seconds: 0.2\nwarmup_seconds: 0.1\npeaks: false\n"
        (measure / f"{name}.yaml").write_text(f"name: {name}\n{settings}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny model, the same model as a graph alone, and a file of texts."""
    folder = tmp_path_factory.mktemp("try")
    texts = write_toy_texts(folder / "toy")
    critic = save_random(folder / "critic", texts, "bert")
    graph, _ = apply_step(folder / "graph", critic, texts, step="onnx-export")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(critic / name, graph)
    labels = read_labels(texts)
    with (folder / "films.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "verdict", "split"])
        writer.writerows([one.text, labels[one.label], "test"] for one in read_split(texts, "test"))
    return folder


@pytest.mark.sweep
def test_a_first_answer_and_the_yaml_of_exactly_that_sweep(folder: Path) -> None:
    """The model is a graph; tests/docs/test_tutorial.py tries a checkpoint."""
    shorten_measuring(folder)
    done = pinbox(folder, "runner.cli", "try", "graph/model.onnx", "films.csv", "--threads", "1", "--budget", "30m")
    assert done.returncode == 0, done.stderr
    assert "Labels: column 'verdict' (negative, neutral, positive)" in done.stderr
    assert "→ " in done.stdout, "the recommendation"
    assert "Limits: loss of quality ≤ 1 point" in done.stdout
    command = done.stdout.splitlines()[-1].split()
    sweep = SweepFolder(folder / command[-1])
    plan = read_plan(sweep)
    assert [job.technique for job in plan.jobs] == ["onnx-as-is", candidates(graph=True)[-1]]

    again = pinbox(folder, "runner.cli", *command[1:])
    assert again.returncode == 0, again.stderr
    assert f"{len(plan.trials)} of them done before" in again.stderr
    assert read_plan(sweep).jobs == plan.jobs
