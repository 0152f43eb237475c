"""Whole heads and neurons are masked, and removing them gives the same logits as masking them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.techniques.chain import make_step
from runner.techniques.pruning.block_movement_pruning import (
    BlockMovement,
    BlockMovementPruning,
    head_blocks,
    neuron_blocks,
    remove_heads,
    remove_neurons,
)
from runner.techniques.pruning.layers import encoder_layers
from tests.techniques.conftest import apply_step, random_logits, save_random

QUICK = {"step": "block-movement-pruning", "epochs": 3, "learning_rate": 5e-3, "batch_size": 16, "dropout": 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("model_type", ["bert", "roberta", "mpnet"])
def test_it_learns_and_has_fewer_neurons(model_type: str, texts: Path, tmp_path: Path) -> None:
    source = save_random(tmp_path / "model", texts, model_type)
    folder, notes = apply_step(tmp_path / "b", source, texts, **QUICK, neurons=0.75)
    assert notes["neurons_kept"] == [16, 16]
    assert "heads_kept" not in notes
    assert notes["validation_accuracy"] > 0.8
    assert (folder / "model.safetensors").stat().st_size < (source / "model.safetensors").stat().st_size
    loaded, stock = load_checkpoint(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert torch.equal(random_logits(loaded), random_logits(stock))


@pytest.mark.slow
def test_it_learns_and_has_fewer_heads(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "b", checkpoint, texts, **QUICK, heads=0.5, neurons=0.5)
    assert [len(heads) for heads in notes["heads_kept"]] == [2, 2]
    assert notes["neurons_kept"] == [32, 32]
    assert notes["validation_accuracy"] > 0.8
    layers = encoder_layers(load_checkpoint(folder), "test")
    assert [layer.heads for layer in layers] == [2, 2]


def _masked_and_removed(source: Path, heads: float, neurons: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of a model with masked blocks, and of the same model with these blocks removed."""
    model = load_checkpoint(source)
    layers = encoder_layers(model, "test")
    blocks = [head_blocks(layer, heads) for layer in layers] + [neuron_blocks(layer, neurons) for layer in layers]
    pruning = BlockMovement(blocks, BlockMovementPruning(heads=heads, neurons=neurons, begin=0.0, end=0.5))
    model(torch.arange(40).reshape(2, 20) + 5).logits.square().sum().backward()
    pruning.before_step()
    pruning.after_step(0.5)
    masked = random_logits(model)
    shares = {(weight == 0).float().mean().item() for entry in blocks[:2] for weight in (*entry.rows, entry.columns)}
    assert shares == {heads}
    assert remove_heads(layers, pruning.kept[:2])["heads_kept"] == [kept.tolist() for kept in pruning.kept[:2]]
    assert remove_neurons(model, layers, pruning.kept[2:]) == {"neurons_kept": [round(64 * (1 - neurons))] * 2}
    return masked, random_logits(model)


@pytest.mark.parametrize(("heads", "neurons"), [(0.5, 0.5), (0.25, 0.75), (0.75, 0.25)])
def test_removed_equals_masked(heads: float, neurons: float, checkpoint: Path) -> None:
    with torch.no_grad():
        original = random_logits(load_checkpoint(checkpoint))
    masked, removed = _masked_and_removed(checkpoint, heads, neurons)
    assert (removed - masked).abs().max() < 1e-5
    assert (masked - original).abs().max() > 1e-4


def test_the_blocks_that_move_towards_0_go(bert: Path) -> None:
    layers = encoder_layers(load_checkpoint(bert), "test")
    blocks = head_blocks(layers[0], 0.5)
    pruning = BlockMovement([blocks], BlockMovementPruning(heads=0.5, neurons=0.0, begin=0.0, end=0.5))
    towards = torch.tensor([-1.0, 1.0, -1.0, 1.0]).repeat_interleave(8)  # heads 1 and 3 move towards 0
    for weight in blocks.rows:
        weight.grad = weight.data * towards[:, None]
    blocks.columns.grad = blocks.columns.data * towards
    pruning.before_step()
    pruning.after_step(0.5)
    assert pruning.kept[0].tolist() == [0, 2]


def test_one_head_and_one_neuron_stay(bert: Path, texts: Path, tmp_path: Path) -> None:
    _, notes = apply_step(tmp_path / "b", bert, texts, **QUICK | {"epochs": 1}, heads=0.999, neurons=0.999)
    assert [len(heads) for heads in notes["heads_kept"]] == [1, 1]
    assert notes["neurons_kept"] == [1, 1]


def test_factorised_layers_can_be_cut(bert: Path, texts: Path, tmp_path: Path) -> None:
    factorised, _ = apply_step(tmp_path / "f", bert, texts, step="low-rank", rank=8, attention=True)
    folder, notes = apply_step(tmp_path / "b", factorised, texts, **QUICK | {"epochs": 1}, heads=0.5, neurons=0.5)
    assert [len(heads) for heads in notes["heads_kept"]] == [2, 2]
    assert notes["neurons_kept"] == [32, 32]
    assert random_logits(load_checkpoint(folder)).isfinite().all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 1}, r"heads is 1.*, but must be at least 0 and below 1"),
        ({"neurons": -0.1}, r"neurons is -0\.1, but must be at least 0 and below 1"),
        ({"heads": 0, "neurons": 0}, "heads and neurons are both 0, which removes nothing"),
        ({"sparsity": 0.5}, "has no key 'sparsity'"),
    ],
)
def test_bad_settings_are_refused_when_composed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_step(QUICK | settings, "test")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(bert: Path, texts: Path, tmp_path: Path) -> None:
    folders = [apply_step(tmp_path / name, bert, texts, **QUICK | {"epochs": 1}, heads=0.5)[0] for name in "ab"]
    assert folder_sha256(folders[0]) == folder_sha256(folders[1])
