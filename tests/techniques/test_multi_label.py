"""Texts with several labels can be learnt and predicted."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from runner.config.task_kinds import MULTI_LABEL
from runner.engines.checkpoint import load_checkpoint
from runner.tasks.texts import Example, Texts, write_texts
from runner.techniques.training.batches import NO_LABEL, Batches
from runner.techniques.training.distil import hard_loss, soft_loss
from runner.techniques.training.training import are_correct, label_losses
from tests.techniques.conftest import apply_step, save_random

WORDS = ["awful", "table", "lovely"]
LOGITS = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 1.0, 4.0]])


def _texts(count: int, seed: int) -> list[Example]:
    """Make texts with a label for each of three words that they contain."""
    generator, examples = random.Random(seed), []
    for _ in range(count):
        label = tuple(number for number in range(3) if generator.random() < 0.5)
        words = [WORDS[number] for number in label] + generator.choices(["so", "it", "was"], k=2)
        generator.shuffle(words)
        examples.append(Example(" ".join(words), label))
    return examples


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    labels = ["bad", "thing", "good"]
    write_texts(Texts(labels, _texts(256, 1), _texts(64, 2), _texts(64, 3), kind=MULTI_LABEL), folder)
    return folder


@pytest.fixture(scope="module")
def model(several: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("one") / "model", several, "bert")


def test_a_batch_holds_a_row_of_0_and_1_for_each_text(model: Path) -> None:
    examples = [Example("so it was", (0, 2)), Example("so it was so", ()), Example("so it was so it was", None)]
    labels = next(Batches(model, examples, 16, load_checkpoint(model).config).in_order(4))["labels"]
    assert labels.tolist() == [[1, 0, 1], [0, 0, 0], [NO_LABEL] * 3]


def test_the_loss_is_binary_cross_entropy_of_the_texts_with_labels() -> None:
    labels = torch.tensor([[1.0, 0.0, 0.0], [NO_LABEL] * 3])
    probability = LOGITS[0].sigmoid()
    expected = -torch.stack([probability[0].log(), (1 - probability[1]).log(), (1 - probability[2]).log()]).mean()
    assert label_losses(LOGITS, labels).tolist() == pytest.approx([float(expected)])
    assert float(hard_loss(LOGITS, labels)) == pytest.approx(float(expected) / 2)


def test_right_is_what_has_exactly_the_labels() -> None:
    assert are_correct(LOGITS, torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])).tolist() == [True, False]


def test_the_soft_loss_is_the_divergence_of_each_label() -> None:
    student, teacher = LOGITS[:1], LOGITS[1:]
    p, q = teacher.sigmoid(), student.sigmoid()
    expected = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    assert float(soft_loss(student, teacher, temperature=1, several=True)) == pytest.approx(float(expected), rel=1e-5)
    assert float(soft_loss(student, student, temperature=2, several=True)) == 0


@pytest.mark.slow
def test_fine_tuning_learns_sets_of_labels_and_a_student_learns_from_it(
    model: Path, several: Path, tmp_path: Path
) -> None:
    settings = {"learning_rate": 3e-3, "max_length": 16, "batch_size": 8}
    tuned, notes = apply_step(tmp_path / "tuned", model, several, step="fine-tune", epochs=6, **settings)
    assert notes["validation_accuracy"] > 0.5, "by chance it is an eighth"
    pruned, _ = apply_step(
        tmp_path / "pruned", tuned, several, step="head-pruning", criterion="importance", samples=32, fraction=0.25
    )
    _, notes = apply_step(tmp_path / "student", pruned, several, teacher=tuned, step="distil", epochs=2, **settings)
    assert notes["validation_accuracy"] > 0.4


def test_a_model_of_vectors_learns_them_too(model: Path, several: Path, tmp_path: Path) -> None:
    settings = {
        "epochs": 12,
        "dimensions": 16,
        "hidden": 32,
        "learning_rate": 1e-2,
        "soft_weight": 0.0,
        "batch_size": 8,
    }
    _, notes = apply_step(tmp_path / "vectors", model, several, step="static-embedding", **settings)
    assert notes["validation_accuracy"] > 0.9
