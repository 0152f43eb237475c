"""FLOPs counted from shapes equal those that torch counts in a forward pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner.models.architectures import ARCHITECTURES
from runner.models.flops import FlopCount, count_flops
from tests.techniques.conftest import apply_step, save_random, texts

__all__ = ["texts"]  # a fixture


def counted_by_torch(checkpoint: Path, rows: int, tokens: int) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from runner.engines.checkpoint import load_checkpoint

    model = load_checkpoint(checkpoint, attention="eager")
    ids = torch.arange(rows * tokens).reshape(rows, tokens) % 200 + 5
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(input_ids=ids, attention_mask=torch.ones_like(ids))
    return int(counter.get_total_flops())


@pytest.mark.parametrize("model_type", sorted(ARCHITECTURES.keys() - {"deberta-v2", "nystromformer"}))
def test_the_count_is_torch_s(model_type: str, texts: Path, tmp_path: Path) -> None:
    checkpoint = save_random(tmp_path / "model", texts, model_type)
    flops = count_flops(checkpoint)
    assert flops is not None
    assert 3 * flops.of(40) == counted_by_torch(checkpoint, 3, 40)


def test_pruned_heads_are_not_counted(texts: Path, tmp_path: Path) -> None:
    whole = save_random(tmp_path / "whole", texts, "bert")
    pruned, _ = apply_step(
        tmp_path / "pruned", whole, texts, step="head-pruning", fraction=0.5, criterion="random", seed=1
    )
    flops, before = count_flops(pruned), count_flops(whole)
    assert flops is not None
    assert before is not None
    assert flops.of(40) == counted_by_torch(pruned, 1, 40)
    assert flops.per_token_squared * 2 == before.per_token_squared


def test_padding_is_counted_apart() -> None:
    flops = FlopCount(per_example=10, per_token=3, per_token_squared=1)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1]])
    other = np.array([[1, 0]])
    useful, padded = flops.per_call([mask, other])
    assert useful == ((10 + 6 + 4) + (10 + 12 + 16) + (10 + 3 + 1)) / 2
    assert padded == (2 * (10 + 12 + 16) + (10 + 6 + 4)) / 2


@pytest.mark.parametrize("model_type", ["gpt2", "deberta-v2", "nystromformer"])
def test_what_cannot_be_counted_is_not(model_type: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f'{{"model_type": "{model_type}"}}')
    assert count_flops(tmp_path) is None
