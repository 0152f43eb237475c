"""Neurons are masked whole, and what is removed equals what was masked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from runner.artifacts import folder_sha256
from runner.engines.checkpoint import load_checkpoint
from runner.techniques.block_movement_pruning import (
    BlockMovementPruning,
    NeuronMovement,
    neuron_weights,
    remove_masked,
)
from runner.techniques.layers import encoder_layers
from tests.techniques.conftest import random_logits, run_step, save_random

QUICK = {"step": "block-movement-pruning", "epochs": 3, "learning_rate": 5e-3, "batch_size": 16, "dropout": 0.0}


@pytest.mark.parametrize("model_type", ["bert", "roberta", "mpnet"])
def test_it_learns_and_is_smaller(model_type: str, texts: Path, tmp_path: Path) -> None:
    source = save_random(tmp_path / "model", texts, model_type)
    folder, notes = run_step(tmp_path / "b", source, texts, **QUICK, sparsity=0.75)
    assert notes["neurons_kept"] == [16, 16]
    assert notes["validation_accuracy"] > 0.8
    assert (folder / "model.safetensors").stat().st_size < (source / "model.safetensors").stat().st_size
    own, stock = load_checkpoint(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert torch.equal(random_logits(own), random_logits(stock))


def test_removed_equals_masked(bert: Path) -> None:
    model = load_checkpoint(bert)
    layers = encoder_layers(model, "test")
    weights = [weight for layer in layers for weight in neuron_weights(layer)]
    pruning = NeuronMovement(weights, BlockMovementPruning(sparsity=0.5, begin=0.0, end=0.5))
    model(torch.arange(40).reshape(2, 20) + 5).logits.square().sum().backward()
    pruning.before_step()
    pruning.after_step(0.5)
    masked = random_logits(model)
    assert [(weight == 0).float().mean().item() for weight in weights] == [0.5] * 4
    assert [remove_masked(layer) for layer in layers] == [32, 32]
    assert (random_logits(model) - masked).abs().max() < 1e-5
    assert (masked - random_logits(load_checkpoint(bert))).abs().max() > 1e-4


def test_one_neuron_stays(bert: Path, texts: Path, tmp_path: Path) -> None:
    _, notes = run_step(tmp_path / "b", bert, texts, **QUICK | {"epochs": 1}, sparsity=0.999)
    assert notes["neurons_kept"] == [1, 1]


def test_factorised_neurons_can_be_removed(bert: Path, texts: Path, tmp_path: Path) -> None:
    factorised, _ = run_step(tmp_path / "f", bert, texts, step="low-rank", rank=8)
    folder, notes = run_step(tmp_path / "b", factorised, texts, **QUICK | {"epochs": 1}, sparsity=0.5)
    assert notes["neurons_kept"] == [32, 32]
    assert random_logits(load_checkpoint(folder)).isfinite().all()


def test_the_same_seed_gives_the_same_bytes(bert: Path, texts: Path, tmp_path: Path) -> None:
    folders = [run_step(tmp_path / name, bert, texts, **QUICK | {"epochs": 1})[0] for name in "ab"]
    assert folder_sha256(folders[0]) == folder_sha256(folders[1])
