"""Magnitude and movement pruning reach the requested sparsity on a cubic curve, by their scores."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import read_split
from runner.techniques.chain import make_step
from runner.techniques.pruning.magnitude_pruning import Magnitude, MagnitudePruning
from runner.techniques.pruning.movement_pruning import Movement, MovementPruning
from runner.techniques.pruning.sparse_training import Pruning, growth, layer_weights
from runner.techniques.training.batches import Batches
from runner.techniques.training.training import evaluate
from tests.techniques.conftest import apply_step

STEPS = ["magnitude-pruning", "movement-pruning"]
QUICK = {"epochs": 3, "learning_rate": 5e-3, "batch_size": 16, "dropout": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_it_learns_and_is_sparse(step: str, checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "s", checkpoint, texts, step=step, **QUICK)
    model = load_checkpoint(folder)
    weights = layer_weights(model, "test")
    assert len(weights) == 12
    for weight in weights:
        assert (weight == 0).float().mean().item() == pytest.approx(0.7, abs=0.001)
    assert notes["masked"]
    assert notes["sparsity"] == pytest.approx(0.7, abs=0.001)
    assert (model.get_input_embeddings().weight == 0).float().mean() < 0.01
    accuracy = evaluate(model, Batches(folder, read_split(texts, "validation"), 64, model.config))
    assert accuracy == pytest.approx(notes["validation_accuracy"])
    assert accuracy > 0.8


@pytest.mark.parametrize("step", STEPS)
def test_only_the_compressed_file_is_smaller(step: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "s", bert, texts, step=step, **QUICK | {"epochs": 1})
    pruned, whole = ((path / "model.safetensors").read_bytes() for path in (folder, bert))
    assert notes["masked"]
    assert len(pruned) == len(whole)
    assert len(zlib.compress(pruned)) < 0.8 * len(zlib.compress(whole))


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_the_same_seed_gives_the_same_bytes(step: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    contents = [
        folder_sha256(apply_step(tmp_path / str(number), bert, texts, step=step, epochs=1, seed=seed)[0])
        for number, seed in enumerate((1, 1, 2))
    ]
    assert contents[0] == contents[1] != contents[2]


def _step(pruning: Pruning, weight: torch.nn.Parameter, gradient: list[float], progress: float) -> list[float]:
    """Take a step of gradient descent with a rate of 0.1, and return the weights that the model sees then."""
    weight.grad = torch.tensor([gradient])
    pruning.before_step()
    with torch.no_grad():
        weight -= 0.1 * weight.grad
    pruning.after_step(progress)
    seen: list[float] = weight.data[0].tolist()
    return seen


def _weight() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor([[1.0, 0.2, -3.0, -0.5]]))


def test_magnitude_keeps_the_largest() -> None:
    weight = _weight()
    pruning = Magnitude([weight], MagnitudePruning(sparsity=0.5, begin=0.0, end=0.5))
    assert _step(pruning, weight, [0.0] * 4, 0.5) == [1.0, 0.0, -3.0, 0.0]
    assert pruning.may_stop()


def test_movement_keeps_what_moves_away_from_0() -> None:
    """Gradient descent moves the first and the third weight towards 0, the second and the fourth away from it."""
    weight = _weight()
    pruning = Movement([weight], MovementPruning(sparsity=0.5, begin=0.0, end=0.5))
    assert _step(pruning, weight, [1.0, -1.0, -1.0, 1.0], 0.5) == pytest.approx([0.0, 0.3, 0.0, -0.6])


def test_a_masked_weight_has_no_gradient_but_can_come_back() -> None:
    weight = _weight()
    pruning = Movement([weight], MovementPruning(sparsity=0.5, begin=0.0, end=1 - 1e-9))
    for _ in range(9):
        _step(pruning, weight, [0.01, -0.01, -0.01, 0.01], 0.9)
    assert not pruning.may_stop()
    assert _step(pruning, weight, [0.01, -0.01, -0.01, 0.01], 0.9)[0] == 0.0
    before = pruning.whole[0][0, 0].item()
    for _ in range(10):
        seen = _step(pruning, weight, [-5.0, -0.01, -0.01, 0.01], 0.9)
    assert seen[0] == pytest.approx(before)


def test_the_sparsity_grows_on_a_cubic_curve() -> None:
    assert [growth(progress, 0.2, 0.6) for progress in (0.0, 0.2, 0.4, 0.6, 1.0)] == pytest.approx(
        [0, 0, 1 - 0.5**3, 1, 1]
    )
    assert growth(0.3, 0.3, 0.3) == 1


def test_too_little_time_is_an_error(bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"minutes is 1e-09, which is too short: only 1 of 45 steps"):
        apply_step(tmp_path / "s", bert, texts, step="movement-pruning", **QUICK | {"minutes": 1e-9})


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sparsity", 0, "sparsity is 0.*, but must be above 0 and below 1"),
        ("sparsity", 1, "sparsity is 1.*, but must be above 0 and below 1"),
        ("begin", -0.1, r"begin is -0\.1, but must be at least 0 and below 1"),
        ("end", 0.05, r"end is 0\.05, but must be at least begin and below 1"),
        ("end", 1, "end is 1.*, but must be at least begin and below 1"),
    ],
)
def test_bad_settings_are_refused_when_composed(step: str, key: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"step '{step}': {message}"):
        make_step({"step": step, key: value}, "test")
