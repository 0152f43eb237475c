"""A student learns what the teacher knows, better than without it; the losses are what they are said to be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from runner import tasks
from runner.artifacts import folder_sha256
from runner.chain import make_step
from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.techniques.batches import Batches
from runner.techniques.distil import Distil, Distillation, soft_loss
from tests.techniques.conftest import run_step

QUICK = {"step": "distil", "epochs": 2, "learning_rate": 2e-3, "batch_size": 16, "dropout": 0.0}


@pytest.fixture(scope="module")
def teacher(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT that has learned the task."""
    settings = {"step": "fine-tune", "epochs": 3, "learning_rate": 5e-3, "batch_size": 16, "dropout": 0.0}
    return run_step(tmp_path_factory.mktemp("teacher") / "t", bert, texts, **settings)[0]


def _divergence(student: Path, teacher: Path, texts: Path) -> float:
    """Return how far the student's predictions of the test texts are from the teacher's."""
    models = [load_checkpoint(folder) for folder in (student, teacher)]
    batch = next(Batches(teacher, tasks.read(texts, "test"), 64, models[0].config).in_order(60))
    del batch["labels"]
    with torch.inference_mode():
        return float(soft_loss(*(model(**batch).logits for model in models), temperature=1))


def test_with_a_teacher_is_nearer_to_it_than_without(teacher: Path, texts: Path, tmp_path: Path) -> None:
    for seed in range(3):
        found = []
        for name, weights in {"with": {}, "without": {"soft_weight": 0, "hidden_weight": 0}}.items():
            folder, notes = run_step(tmp_path / f"{name}{seed}", teacher, texts, **QUICK | weights, seed=seed)
            assert notes["layers_kept"] == [0]
            assert notes["validation_accuracy"] > 0.9
            found.append(_divergence(folder, teacher, texts))
        assert found[0] < found[1]


def test_the_student_is_smaller_and_says_what_it_does(
    teacher: Path, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, notes = run_step(tmp_path / "d", teacher, texts, **QUICK, keep=[1])
    model = load_checkpoint(folder)
    assert model.config.num_hidden_layers == len(model.base_model.encoder.layer) == 1
    assert notes["layers_kept"] == [1]
    assert "distil: epoch 2/2, loss" in capsys.readouterr().out


def test_a_student_like_its_teacher_has_nothing_to_learn(teacher: Path, texts: Path) -> None:
    model = load_checkpoint(teacher)
    batch = next(Batches(teacher, tasks.read(texts, "train"), 64, model.config).in_order(8))
    labels = batch.pop("labels")
    objective = Distillation(load_checkpoint(teacher), Distil(hard_weight=0))
    assert objective.loss(model, batch, labels).item() == pytest.approx(0, abs=1e-6)
    only_labels = Distillation(load_checkpoint(teacher), Distil(soft_weight=0, hidden_weight=0))
    expected = torch.nn.functional.cross_entropy(model(**batch).logits, labels)
    assert torch.equal(only_labels.loss(model, batch, labels), expected)


def test_the_soft_loss_is_the_divergence() -> None:
    student, teacher = torch.tensor([[0.0, 0.0]]), torch.tensor([[2 * math.log(3.0), 0.0]])
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert float(soft_loss(student, teacher, temperature=2)) == pytest.approx(4 * expected)


def test_the_same_seed_gives_the_same_bytes(teacher: Path, texts: Path, tmp_path: Path) -> None:
    settings = QUICK | {"epochs": 1, "dropout": 0.1}
    contents = [
        folder_sha256(run_step(tmp_path / str(number), teacher, texts, **settings, seed=seed)[0])
        for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0}, "temperature is 0.*, but must be above 0"),
        ({"soft_weight": -1}, "soft_weight is -1.*, but must be at least 0"),
        ({"soft_weight": 0, "hard_weight": 0, "hidden_weight": 0}, "are all 0: nothing to learn"),
        ({"keep": 0}, "step 'distil': keep is 0, but must be a share"),
        ({"epochs": 0}, "step 'distil': epochs is 0, but must be above 0"),
    ],
)
def test_bad_settings_are_refused_when_composed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step(QUICK | settings, "test")


def test_more_layers_than_the_teacher_has_are_refused(teacher: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="step 'distil': keep is 3, but the model has 2 layers"):
        run_step(tmp_path / "d", teacher, texts, **QUICK, keep=3)


def test_a_task_without_labels_is_refused(teacher: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"step 'distil': the task has no labelled texts to train on"):
        run_step(tmp_path / "d", teacher, unlabelled, **QUICK)
