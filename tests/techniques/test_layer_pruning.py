"""The layers kept are the original's, in order, and transformers can load the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2ForSequenceClassification

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.techniques.chain import make_step
from runner.techniques.pruning.layer_pruning import choose_layers
from runner.techniques.pruning.layers import encoder_layers
from tests.techniques.conftest import apply_step, random_logits, save_random, shape_of


@pytest.mark.parametrize("model_type", ["bert", "roberta", "mpnet"])
@pytest.mark.parametrize("layer", [0, 1])
def test_the_other_layers_are_as_if_skipped(model_type: str, layer: int, texts: Path, tmp_path: Path) -> None:
    source = save_random(tmp_path / "model", texts, model_type)
    folder, notes = apply_step(tmp_path / "p", source, texts, step="layer-pruning", keep=[layer])
    assert notes == {"layers_kept": [layer]}
    skipping = load_checkpoint(source)
    other = skipping.base_model.encoder.layer[1 - layer]
    plain = model_type != "mpnet"
    other.forward = lambda hidden, *args, **kwargs: hidden if plain else (hidden,)
    loaded, stock = load_checkpoint(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert torch.equal(random_logits(loaded), random_logits(skipping))
    assert torch.equal(random_logits(loaded), random_logits(stock))
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 1


@pytest.mark.parametrize(
    ("count", "keep", "expected"),
    [
        (12, 6, [0, 2, 4, 7, 9, 11]),
        (12, 0.5, [0, 2, 4, 7, 9, 11]),
        (6, 0.5, [0, 2, 5]),
        (6, 1, [0]),
        (6, 0.01, [0]),
        (6, 6, [0, 1, 2, 3, 4, 5]),
        (6, [1, 5], [1, 5]),
    ],
)
def test_layers_are_evenly_spaced(count: int, keep: Any, expected: list[int]) -> None:
    assert choose_layers(count, keep) == expected


@pytest.mark.parametrize("keep", [0, 1.0, 0.0, -1, [], [2, 1], [1, 1], [-1, 2], ["a"], True, "half"])
def test_a_bad_choice_is_refused_when_composed(keep: Any) -> None:
    with pytest.raises(UserError, match=r"step 'layer-pruning': keep is .*, but must be a share above 0 and below 1"):
        make_step({"step": "layer-pruning", "keep": keep}, "test")


@pytest.mark.parametrize(
    ("keep", "message"),
    [(3, "keep is 3, but the model has 2 layers"), ([0, 2], "keep names layer 2, but the model has 0 to 1")],
)
def test_more_layers_than_there_are_are_refused(
    keep: Any, message: str, bert: Path, texts: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        apply_step(tmp_path / "p", bert, texts, step="layer-pruning", keep=keep)


def test_layers_keep_how_far_they_attend(texts: Path, tmp_path: Path) -> None:
    shape = shape_of("modernbert") | {"num_hidden_layers": 5, "local_attention": 4}
    source, _ = apply_step(tmp_path / "s", None, texts, step="random-weights", shape=shape)
    folder, _ = apply_step(tmp_path / "p", source, texts, step="layer-pruning", keep=[0, 2, 3])
    pruned, whole = load_checkpoint(folder), load_checkpoint(source)
    kinds = [load_checkpoint(source).config.layer_types[layer] for layer in (0, 2, 3)]
    assert pruned.config.layer_types == kinds == ["full_attention", "sliding_attention", "full_attention"]
    whole.base_model.layers = torch.nn.ModuleList(whole.base_model.layers[layer] for layer in (0, 2, 3))
    assert torch.equal(random_logits(pruned), random_logits(whole))


def test_another_architecture_is_named() -> None:
    model = GPT2ForSequenceClassification(GPT2Config(n_layer=1, n_embd=8, n_head=2, n_positions=8, vocab_size=8))
    with pytest.raises(UserError, match=r"'test' knows the layers of albert, bert, .* but the model_type is gpt2"):
        encoder_layers(model, "test")
