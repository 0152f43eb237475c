"""A model without some neurons equals the model with them masked. Importance finds a neuron without effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.store.artifacts import folder_sha256
from runner.tasks.texts import read_split
from runner.techniques.pruning.ffn_pruning import FfnPruning, magnitudes, strongest
from runner.techniques.pruning.importance import gate_importance
from runner.techniques.pruning.layers import encoder_layers
from runner.techniques.training.batches import Batches
from tests.techniques.conftest import apply_step, random_logits, save_random


@pytest.fixture(params=["bert", "roberta", "mpnet"])
def model_folder(request: pytest.FixtureRequest, texts: Path, tmp_path: Path) -> Path:
    return save_random(tmp_path / "model", texts, request.param)


def _silence(model: Any, layer: int, neuron: int) -> None:
    encoder_layers(model, "test")[layer].feed_forward[1].weight.data[:, neuron] = 0


def test_pruned_equals_masked(model_folder: Path) -> None:
    masked, pruned = load_checkpoint(model_folder), load_checkpoint(model_folder)
    keep = [list(range(0, 64, 3)), [5, 6, 63]]
    for layer, neurons in enumerate(keep):
        for neuron in set(range(64)) - set(neurons):
            _silence(masked, layer, neuron)
        encoder_layers(pruned, "test")[layer].keep_neurons(torch.tensor(neurons))
    assert (random_logits(pruned) - random_logits(masked)).abs().max() < 1e-5
    assert (random_logits(pruned) - random_logits(load_checkpoint(model_folder))).abs().max() > 1e-4


@pytest.mark.parametrize("criterion", ["magnitude", "importance"])
def test_a_pruned_checkpoint_reloads_as_it_was(criterion: str, model_folder: Path, texts: Path, tmp_path: Path) -> None:
    settings = {"step": "ffn-pruning", "fraction": 0.75, "criterion": criterion, "samples": 8}
    folder, notes = apply_step(tmp_path / "p", model_folder, texts, **settings)
    assert notes == {"neurons_before": [64, 64], "neurons_kept": [16, 16]}
    assert json.loads((folder / "config.json").read_text())["intermediate_size"] == 16
    loaded, stock = load_checkpoint(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert torch.equal(random_logits(loaded), random_logits(stock))
    assert (folder / "model.safetensors").stat().st_size < (model_folder / "model.safetensors").stat().st_size
    again, _ = apply_step(tmp_path / "again", model_folder, texts, **settings)
    assert folder_sha256(folder) == folder_sha256(again)


def test_the_checkpoint_is_the_model_that_was_cut(bert: Path, texts: Path, tmp_path: Path) -> None:
    folder, _ = apply_step(tmp_path / "p", bert, texts, step="ffn-pruning", fraction=0.5)
    expected = load_checkpoint(bert)
    layers = encoder_layers(expected, "test")
    for layer, scores in zip(layers, magnitudes(layers), strict=True):
        layer.keep_neurons(strongest(scores, 0.5))
    assert torch.equal(random_logits(load_checkpoint(folder)), random_logits(expected))


@pytest.mark.parametrize("criterion", ["magnitude", "importance"])
def test_a_dead_neuron_scores_0(criterion: str, bert: Path, texts: Path) -> None:
    model = load_checkpoint(bert)
    _silence(model, 1, 7)
    layers = encoder_layers(model, "test")
    if criterion == "magnitude":
        scores = magnitudes(layers)
    else:
        batches = Batches(bert, read_split(texts, "train")[:20], 64, model.config).in_order(8)
        scores = gate_importance(model, [layer.feed_forward[1] for layer in layers], [64, 64], batches)
    assert scores[1][7] == 0
    assert (torch.cat(scores) == 0).sum() == 1


def test_the_strongest_stay_in_order() -> None:
    scores = torch.tensor([0.3, 0.1, 0.9, 0.5])
    assert strongest(scores, 0.5).tolist() == [2, 3]
    assert strongest(scores, 0.25).tolist() == [0, 2, 3]
    assert strongest(scores, 0.99).tolist() == [2]


def test_it_joins_with_pruned_heads_and_layers(bert: Path, texts: Path, tmp_path: Path) -> None:
    heads, _ = apply_step(tmp_path / "h", bert, texts, step="head-pruning", fraction=0.5)
    neurons, _ = apply_step(tmp_path / "n", heads, texts, step="ffn-pruning")
    layers, _ = apply_step(tmp_path / "l", neurons, texts, step="layer-pruning", keep=1)
    again, _ = apply_step(tmp_path / "a", layers, texts, step="ffn-pruning", criterion="importance", samples=8)
    assert random_logits(load_checkpoint(again)).isfinite().all()


def test_only_importance_reads_labels() -> None:
    assert not FfnPruning().reads_labels
    assert FfnPruning(criterion="importance").reads_labels


def test_importance_without_labels_is_refused(bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no labelled training texts\. Take criterion: magnitude"):
        apply_step(tmp_path / "p", bert, unlabelled, step="ffn-pruning", criterion="importance")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("fraction", 0, r"fraction is 0.*, but must be above 0 and below 1"),
        ("fraction", 1, r"fraction is 1.*, but must be above 0 and below 1"),
        ("criterion", "magnitud", r"criterion is 'magnitud'\. Did you mean 'magnitude'"),
        ("samples", 0, r"samples is 0, but must be at least 1"),
    ],
)
def test_bad_settings_are_refused(key: str, value: Any, message: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        apply_step(tmp_path / "p", bert, texts, step="ffn-pruning", **{key: value})
