"""At full rank nothing changes. Below it, the factors are the best ones. Saved factors can be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from runner.engines.checkpoint import LowRank, load_checkpoint
from runner.errors import UserError
from runner.models.flops import count_flops
from runner.store.artifacts import folder_sha256
from runner.techniques.pruning.low_rank import factorise
from tests.machine.test_flops import counted_by_torch
from tests.techniques.conftest import apply_step, random_logits, save_random


@pytest.fixture(params=["bert", "roberta", "mpnet"])
def model_folder(request: pytest.FixtureRequest, texts: Path, tmp_path: Path) -> Path:
    return save_random(tmp_path / "model", texts, request.param)


def _factorised(model: Any) -> set[str]:
    return {name for name, module in model.named_modules() if isinstance(module, LowRank)}


@pytest.mark.parametrize(("attention", "count"), [(False, 4), (True, 12)])
def test_full_rank_is_exact(attention: bool, count: int, model_folder: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "f", model_folder, texts, step="low-rank", rank=32, attention=attention)
    model = load_checkpoint(folder)
    assert len(_factorised(model)) == len(notes["energy_kept"]) == count
    assert all(value == pytest.approx(1) for value in notes["energy_kept"].values())
    assert (random_logits(model) - random_logits(load_checkpoint(model_folder))).abs().max() < 1e-5


def test_a_low_rank_is_smaller_and_counted(model_folder: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "f", model_folder, texts, step="low-rank", rank=4, attention=True)
    assert notes["parameters"] < notes["parameters_before"]
    assert (folder / "model.safetensors").stat().st_size < (model_folder / "model.safetensors").stat().st_size
    assert (random_logits(load_checkpoint(folder)) - random_logits(load_checkpoint(model_folder))).abs().max() > 1e-4
    flops = count_flops(folder)
    assert flops is not None
    assert flops.of(40) == counted_by_torch(folder, 1, 40)
    again, _ = apply_step(tmp_path / "again", model_folder, texts, step="low-rank", rank=4, attention=True)
    assert folder_sha256(folder) == folder_sha256(again)


def test_the_checkpoint_is_the_model_that_was_factorised(bert: Path, texts: Path, tmp_path: Path) -> None:
    folder, _ = apply_step(tmp_path / "f", bert, texts, step="low-rank", rank=4)
    expected = load_checkpoint(bert)
    for layer in expected.base_model.encoder.layer:
        layer.intermediate.dense, _ = factorise(layer.intermediate.dense, 4)
        layer.output.dense, _ = factorise(layer.output.dense, 4)
    assert torch.equal(random_logits(load_checkpoint(folder)), random_logits(expected))


def test_no_factors_are_nearer() -> None:
    """By Eckart and Young, the error is that of the singular values that are left out."""
    linear = torch.nn.Linear(20, 12)
    factors, kept = factorise(linear, 5)
    product = factors.up.weight @ factors.down.weight
    values = torch.linalg.svdvals(linear.weight.detach())
    assert torch.allclose((linear.weight - product).norm(), values[5:].norm(), atol=1e-5)
    assert kept == pytest.approx(float(values[:5].square().sum() / values.square().sum()), abs=1e-5)
    assert torch.equal(factors.up.bias, linear.bias)
    again, kept = factorise(factors, 5)
    assert kept == pytest.approx(1)
    assert torch.allclose(again.up.weight @ again.down.weight, product, atol=1e-5)


def test_what_is_factorised_can_still_be_pruned(bert: Path, texts: Path, tmp_path: Path) -> None:
    """It must equal pruning alone, in any order, because the factors have full rank."""
    steps: list[dict[str, Any]] = [
        {"step": "low-rank", "rank": 32, "attention": True},
        {"step": "head-pruning", "fraction": 0.5},
        {"step": "ffn-pruning", "fraction": 0.25},
    ]
    factorised = plain = bert
    for number, entry in enumerate(steps):
        factorised, _ = apply_step(tmp_path / f"f{number}", factorised, texts, **entry)
        if number:
            plain, _ = apply_step(tmp_path / f"p{number}", plain, texts, **entry)
    assert len(_factorised(load_checkpoint(factorised))) == 12
    assert (random_logits(load_checkpoint(factorised)) - random_logits(load_checkpoint(plain))).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("rank", "message"),
    [(0, "rank is 0, but must be at least 1"), (33, "rank is 33, but must be at most 32, the model's hidden width")],
)
def test_a_bad_rank_is_refused(rank: int, message: str, bert: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        apply_step(tmp_path / "f", bert, texts, step="low-rank", rank=rank)
