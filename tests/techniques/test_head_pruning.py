"""A pruned model equals the model with those heads masked. Importance finds a head without effect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.tasks.texts import read_split
from runner.techniques.pruning.head_pruning import HeadPruning, choose_important, choose_random, head_importance
from runner.techniques.pruning.layers import encoder_layers
from runner.techniques.training.batches import Batches
from tests.techniques.conftest import CHECKPOINT, apply_step, save_random


def _logits(model: Any) -> torch.Tensor:
    ids = torch.randint(5, 300, (3, 11), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    with torch.inference_mode():
        logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
    return logits


def _silence(model: Any, layer: int, head: int) -> None:
    """Make a head's output count for nothing by the weights of the next layer."""
    pruned_layer = encoder_layers(model, "test")[layer]
    size = pruned_layer.head_size
    pruned_layer.attended.weight.data[:, head * size : (head + 1) * size] = 0


def _batches(folder: Path, texts: Path, size: int) -> Any:
    return Batches(folder, read_split(texts, "train")[:20], 64, load_checkpoint(folder).config).in_order(size)


def test_pruned_equals_masked(checkpoint: Path) -> None:
    masked, pruned = load_checkpoint(checkpoint), load_checkpoint(checkpoint)
    keep = [[0, 2], [3]]
    for layer, heads in enumerate(keep):
        for head in set(range(4)) - set(heads):
            _silence(masked, layer, head)
        encoder_layers(pruned, "test")[layer].keep_heads(heads)
    assert (_logits(pruned) - _logits(masked)).abs().max() < 1e-6
    assert (_logits(pruned) - _logits(load_checkpoint(checkpoint))).abs().max() > 1e-5


@pytest.mark.parametrize("criterion", ["random", "importance"])
def test_a_pruned_checkpoint_reloads_as_it_was(criterion: str, checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(
        tmp_path / "p", checkpoint, texts, step="head-pruning", fraction=0.5, criterion=criterion, samples=8
    )
    expected = load_checkpoint(checkpoint)
    for layer, heads in zip(encoder_layers(expected, "test"), notes["heads_kept"], strict=True):
        layer.keep_heads(heads)
    reloaded = load_checkpoint(folder)
    assert [layer.heads for layer in encoder_layers(reloaded, "test")] == [len(h) for h in notes["heads_kept"]]
    assert torch.equal(_logits(reloaded), _logits(expected))
    assert {path.name for path in folder.iterdir()} == CHECKPOINT
    assert (folder / "model.safetensors").stat().st_size < (checkpoint / "model.safetensors").stat().st_size


def test_pruning_twice_counts_the_heads_left(bert: Path, texts: Path, tmp_path: Path) -> None:
    once, _ = apply_step(tmp_path / "a", bert, texts, step="head-pruning", fraction=0.5)
    _, notes = apply_step(tmp_path / "b", once, texts, step="head-pruning", fraction=0.5)
    assert notes["heads_before"] == [2, 2]
    assert [len(heads) for heads in notes["heads_kept"]] == [1, 1]


def test_importance_finds_a_dead_head(checkpoint: Path, texts: Path) -> None:
    model = load_checkpoint(checkpoint)
    _silence(model, 1, 2)
    importance = head_importance(model, _batches(checkpoint, texts, 8))
    assert importance[1][2] == 0
    assert all(
        value > 0 for layer, row in enumerate(importance) for head, value in enumerate(row) if (layer, head) != (1, 2)
    )
    assert choose_important(importance, 1 / 8) == [[0, 1, 2, 3], [0, 1, 3]]


def test_importance_is_the_mean_over_single_examples(bert: Path, texts: Path) -> None:
    model = load_checkpoint(bert)
    together, alone = (torch.tensor(head_importance(model, _batches(bert, texts, size))) for size in (20, 1))
    assert torch.allclose(together, alone, rtol=1e-3)
    assert torch.allclose(together.norm(dim=1), torch.ones(2))


def test_importance_is_the_loss_change_of_a_mask(bert: Path, texts: Path) -> None:
    """Finite differences: scale a head's output up and down, and compare the loss."""
    model = load_checkpoint(bert)
    batch = next(_batches(bert, texts, 1))
    layer = encoder_layers(model, "test")[0]
    size, weight = layer.head_size, layer.attended.weight
    slopes = []
    for head in range(4):
        losses = []
        for scale in (1.05, 1 / 1.05):
            weight.data[:, head * size : (head + 1) * size] *= scale
            losses.append(float(model(**batch).loss.detach().double()))
            weight.data[:, head * size : (head + 1) * size] /= scale
        slopes.append(abs(losses[0] - losses[1]))
    expected = torch.tensor(slopes) / torch.tensor(slopes).norm()
    assert torch.allclose(torch.tensor(head_importance(model, iter([batch]))[0]), expected, atol=0.05)


@pytest.mark.parametrize(("fraction", "left"), [(0.25, 9), (0.5, 6), (0.9, 1), (0.99, 1)])
def test_random_choice_takes_the_same_share_of_every_layer(fraction: float, left: int) -> None:
    keep = choose_random([12] * 6, fraction, seed=0)
    assert [len(heads) for heads in keep] == [left] * 6
    assert keep == choose_random([12] * 6, fraction, seed=0)
    assert left == 1 or keep != choose_random([12] * 6, fraction, seed=1)


def test_importance_never_takes_a_layers_last_head() -> None:
    importance = [[0.1, 0.2, 0.3], [0.7, 0.8, 0.9]]
    assert choose_important(importance, 0.5) == [[2], [1, 2]]
    assert choose_important(importance, 0.99) == [[2], [2]]


def test_only_importance_reads_labels() -> None:
    assert not HeadPruning().reads_labels
    assert HeadPruning(criterion="importance").reads_labels


def test_importance_without_labels_is_refused(bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no labelled training texts\. Take criterion: random"):
        apply_step(tmp_path / "p", bert, unlabelled, step="head-pruning", criterion="importance")


def test_another_architecture_is_named(texts: Path, tmp_path: Path) -> None:
    mpnet = save_random(tmp_path / "m", texts, "mpnet")
    with pytest.raises(
        UserError, match=r"cannot remove heads of mpnet: all layers share one table .* Remove neurons \(ffn-pruning\)"
    ):
        apply_step(tmp_path / "p", mpnet, texts, step="head-pruning")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("fraction", 0, r"fraction is 0.*, but must be above 0 and below 1"),
        ("fraction", 1, r"fraction is 1.*, but must be above 0 and below 1"),
        ("criterion", "importanse", r"criterion is 'importanse'\. Did you mean 'importance'"),
        ("samples", 0, r"samples is 0, but must be at least 1"),
        ("fraction", "half", r"'half'"),
    ],
)
def test_bad_settings_are_refused(key: str, value: Any, message: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        apply_step(tmp_path / "p", bert, texts, step="head-pruning", **{key: value})
