"""Checkpoints in bfloat16 run in eager mode and traced."""

from __future__ import annotations

from pathlib import Path

import torch

from runner.engines.checkpoint import load_checkpoint
from tests.techniques.conftest import apply_step

IDS = torch.randint(5, 300, (2, 9), generator=torch.Generator().manual_seed(0))


def logits(folder: Path) -> torch.Tensor:
    with torch.inference_mode():
        result: torch.Tensor = load_checkpoint(folder)(IDS).logits
    return result


def test_it_is_near_and_half_as_large(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    made, notes = apply_step(tmp_path / "made", checkpoint, texts, step="bfloat16")
    model = load_checkpoint(made)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    difference = float((logits(made).float() - logits(checkpoint)).abs().max())
    assert 0 < difference < 0.02
    assert 0 < notes["largest_logit_difference"] < 0.02
    small, large = ((folder / "model.safetensors").stat().st_size for folder in (made, checkpoint))
    assert small < 0.6 * large


def test_reloaded_is_rounded(bert: Path, texts: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "made", bert, texts, step="bfloat16")
    rounded = load_checkpoint(bert).to(torch.bfloat16)
    with torch.inference_mode():
        assert torch.equal(rounded(IDS).logits, logits(made))


def test_traced_is_the_same(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    made, _ = apply_step(tmp_path / "made", checkpoint, texts, step="bfloat16")
    traced, notes = apply_step(tmp_path / "traced", made, texts, step="torchscript")
    assert notes["largest_logit_difference"] < 1e-3
    model = torch.jit.load(str(traced / "model.torchscript.pt"))  # type: ignore[no-untyped-call]
    assert torch.allclose(model(IDS, torch.ones_like(IDS)), logits(made), atol=1e-2)


def test_pruned_heads_stay_pruned(bert: Path, texts: Path, tmp_path: Path) -> None:
    pruned, _ = apply_step(tmp_path / "pruned", bert, texts, step="head-pruning", criterion="random")
    made, _ = apply_step(tmp_path / "made", pruned, texts, step="bfloat16")
    assert float((logits(made).float() - logits(pruned)).abs().max()) < 0.02
