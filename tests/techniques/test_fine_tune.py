"""Fine-tuning learns a task that can be learnt, keeps the best epoch, and gives the same bytes twice."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import read_split
from runner.techniques.chain import make_step
from runner.techniques.step import StepInputs, run_step
from runner.techniques.training import training
from runner.techniques.training.batches import Batches
from runner.techniques.training.fine_tune import FineTune
from runner.techniques.training.training import evaluate
from tests.techniques.conftest import CHECKPOINT, apply_step

QUICK = {"step": "fine-tune", "epochs": 3, "learning_rate": 5e-3, "batch_size": 16, "dropout": 0.0}


def _accuracy(folder: Path, texts: Path, split: str) -> float:
    model = load_checkpoint(folder)
    return evaluate(model, Batches(folder, read_split(texts, split), 64, model.config))


def test_it_learns(checkpoint: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, notes = apply_step(tmp_path / "f", checkpoint, texts, **QUICK)
    assert _accuracy(checkpoint, texts, "test") < 0.7
    assert _accuracy(folder, texts, "test") > 0.9
    assert _accuracy(folder, texts, "validation") == pytest.approx(notes["validation_accuracy"])
    assert [epoch["epoch"] for epoch in notes["epochs"]] == [1, 2, 3]
    assert "epoch 3/3, loss" in capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == CHECKPOINT


def test_the_best_epoch_is_kept(bert: Path, texts: Path, tmp_path: Path) -> None:
    """The learning rate is so high that later epochs are worse."""
    folder, notes = apply_step(tmp_path / "f", bert, texts, **QUICK | {"learning_rate": 0.05, "epochs": 5})
    accuracies = [epoch["validation_accuracy"] for epoch in notes["epochs"]]
    assert notes["validation_accuracy"] == max(accuracies)
    assert _accuracy(folder, texts, "validation") == pytest.approx(max(accuracies))


def test_the_same_seed_gives_the_same_bytes(bert: Path, texts: Path, tmp_path: Path) -> None:
    settings = QUICK | {"epochs": 1, "dropout": 0.1}
    contents = [
        folder_sha256(apply_step(tmp_path / str(number), bert, texts, **settings, seed=seed)[0])
        for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


def test_frozen_layers_stay_as_they_are(bert: Path, texts: Path, tmp_path: Path) -> None:
    folder, _ = apply_step(tmp_path / "f", bert, texts, **QUICK | {"frozen_layers": 1, "epochs": 1})
    before, after = load_checkpoint(bert).state_dict(), load_checkpoint(folder).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith(("bert.embeddings", "bert.encoder.layer.0.")) for name in changed)
    assert {"classifier.weight", "bert.encoder.layer.1.attention.self.query.weight"} <= changed


def test_dropout_in_the_config_is_left_alone(bert: Path, texts: Path, tmp_path: Path) -> None:
    folder, _ = apply_step(tmp_path / "f", bert, texts, **QUICK | {"epochs": 1})
    before, after = (json.loads((path / "config.json").read_text()) for path in (bert, folder))
    after["use_cache"] = before["use_cache"]  # a classifier never uses it
    assert before == after


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epochs", 0, "epochs is 0, but must be above 0"),
        ("batch_size", 0, "batch_size is 0, but must be above 0"),
        ("learning_rate", -1, r"learning_rate is -1.*, but must be above 0"),
        ("max_length", 2, "max_length is 2, but must be at least 3"),
        ("minutes", 0, "minutes is 0.*, but must be above 0"),
        ("warmup", 1.5, r"warmup is 1\.5, but must be at least 0 and below 1"),
        ("dropout", 1, r"dropout is 1.*, but must be at least 0 and below 1"),
        ("weight_decay", -0.1, r"weight_decay is -0\.1, but must be at least 0"),
        ("frozen_layers", -1, "frozen_layers is -1, but must be at least 0"),
        ("frozen_layers", 3, "frozen_layers is 3, but must be at most 2"),
        ("max_length", 131, r"max_length is 131, but the model takes at most 130 tokens"),
        ("epochs", "few", "'few'"),
    ],
)
def test_bad_settings_are_refused(key: str, value: Any, message: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        apply_step(tmp_path / "f", bert, texts, **QUICK | {key: value})


def test_a_task_without_labels_is_refused(bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the task has no labelled texts to train on"):
        apply_step(tmp_path / "f", bert, unlabelled, **QUICK)


def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second of processor time pass at each look at the clock."""
    seconds = itertools.count()
    monkeypatch.setattr(training.time, "process_time", lambda: next(seconds))


def test_it_ends_when_the_time_is_up_in_the_middle_of_an_epoch(
    bert: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _clock(monkeypatch)
    folder, notes = apply_step(tmp_path / "f", bert, texts, **QUICK | {"minutes": 1})
    assert [epoch["epoch"] for epoch in notes["epochs"]] == [
        1,
        2,
    ]  # a step looks at the clock three times, and an epoch has 15 steps
    assert notes["time_was_up"]
    assert _accuracy(folder, texts, "validation") == pytest.approx(notes["validation_accuracy"])


def test_the_learning_rate_falls_to_0_by_whichever_ends_first() -> None:
    step = FineTune(warmup=0.2, learning_rate=1.0)
    used = 0.0
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer, schedule = training._optimizer([weight], step, 10, lambda: used)
    rates = []
    for now in (0.0, 0.1, 0.15, 0.2, 0.9, 0.95, 1.0, 1.2):
        used = now
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    assert rates == pytest.approx([1.0, 1.0, 7 / 8, 6 / 8, 1 / 8, 0.5 / 8, 0, 0])


def test_too_little_time_is_refused(bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"minutes is 1e-09, which is too short: only 1 of 45 steps were done"):
        apply_step(tmp_path / "f", bert, texts, **QUICK | {"minutes": 1e-9})


def test_it_reports_its_progress(bert: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_REPORT_SECONDS", 0)
    lines: list[str] = []
    (tmp_path / "f").mkdir()
    step = make_step(QUICK | {"epochs": 1}, "test")
    run_step(step, StepInputs(bert, texts, 1, report=lines.append), tmp_path / "f")
    assert [line.split("%")[0] for line in lines[:-1]] == [f"{100 * done / 15:.0f}" for done in range(1, 16)]
    assert lines[-1].startswith("epoch 1/1, loss ")
