"""A step predicts the shape of its result, and a model whose shape does not fit is refused beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.models.architectures import ARCHITECTURES
from runner.techniques.chain import follow_shape, make_chain
from runner.techniques.shape import Shape, shape_of_checkpoint, shape_of_config, shape_of_files
from tests.techniques.conftest import apply_step, random_logits, save_random, shape_of

BERT = Shape("bert", 6, (12,) * 6, 32, 384, 1536, 30522, 512, "WordPiece")
TRAINED = {"epochs": 1, "batch_size": 64, "max_length": 16}


def follow(shape: Shape, *entries: dict[str, Any]) -> Shape:
    return follow_shape(make_chain(list(entries), "steps"), shape, "model 'm'")


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_random_model_has_the_shape_foretold(model_type: str, texts: Path, tmp_path: Path) -> None:
    folder = save_random(tmp_path / "model", texts, model_type)
    shape = shape_of_checkpoint(folder)
    assert follow(Shape(), {"step": "random-weights", "shape": shape_of(model_type)}) == shape
    assert shape.heads == ((4,) if model_type == "albert" else (4, 4))
    assert (shape.layers, shape.head_size, shape.hidden, shape.neurons, shape.vocabulary) == (2, 8, 32, 64, 600)
    assert shape.tokens == (128 if ARCHITECTURES[model_type].numbered_from_padding else 130)


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_what_a_config_leaves_out_is_as_in_transformers(model_type: str) -> None:
    from transformers import AutoConfig

    whole = json.loads(AutoConfig.for_model(model_type).to_json_string(use_diff=False))
    assert shape_of_config({"model_type": model_type}, "x") == shape_of_config(whole, "x")


@pytest.mark.slow
@pytest.mark.parametrize(
    "entries",
    [
        [{"step": "layer-pruning", "keep": [1]}],
        [{"step": "head-pruning", "fraction": 0.5}],
        [{"step": "head-pruning", "fraction": 0.9}],
        [{"step": "ffn-pruning", "fraction": 0.3}],
        [{"step": "low-rank", "rank": 8, "attention": True}],
        [{"step": "head-pruning", "fraction": 0.25}, {"step": "layer-pruning", "keep": 1}],
        [{"step": "low-rank", "rank": 8, "attention": True}, {"step": "head-pruning"}, {"step": "ffn-pruning"}],
        [{"step": "fine-tune", **TRAINED}],
        [{"step": "magnitude-pruning", **TRAINED}],
        [{"step": "block-movement-pruning", **TRAINED}],
        [{"step": "block-movement-pruning", "heads": 0.7, "neurons": 0.3, **TRAINED}],
        [{"step": "bfloat16"}],
    ],
    ids=lambda entries: "+".join(entry["step"] for entry in entries),
)
def test_a_step_leaves_the_shape_it_foretells(
    entries: list[dict[str, Any]], checkpoint: Path, texts: Path, tmp_path: Path
) -> None:
    foretold = follow(shape_of_checkpoint(checkpoint), *entries)
    made = checkpoint
    for number, entry in enumerate(entries):
        made, _ = apply_step(tmp_path / str(number), made, texts, **entry)
    assert shape_of_checkpoint(made) == foretold


def test_what_only_the_texts_decide_is_not_foretold(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    shape = shape_of_checkpoint(checkpoint)
    trimmed, _ = apply_step(tmp_path / "t", checkpoint, texts, step="vocabulary-trimming")
    assert follow(shape, {"step": "vocabulary-trimming"}) == replace(shape_of_checkpoint(trimmed), vocabulary=None)
    pruned, _ = apply_step(tmp_path / "p", checkpoint, texts, step="head-pruning", criterion="importance")
    foretold = follow(shape, {"step": "head-pruning", "criterion": "importance"})
    assert foretold == replace(shape_of_checkpoint(pruned), heads=None)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"step": "layer-pruning", "keep": [6]}], "keep names layer 6, but the model has 0 to 5"),
        ([{"step": "layer-pruning", "keep": 7}], "'layer-pruning': keep is 7, but the model has 6 layers"),
        (
            [{"step": "layer-pruning", "keep": 3}, {"step": "layer-pruning", "keep": 4}],
            "keep is 4, but the model has 3",
        ),
        (
            [{"step": "layer-pruning", "keep": 2}, {"step": "fine-tune", "frozen_layers": 3}],
            "frozen_layers is 3, but must be at most 2",
        ),
        ([{"step": "fine-tune", "frozen_layers": 7}], "frozen_layers is 7, but must be at most 6"),
        ([{"step": "fine-tune", "max_length": 513}], "max_length is 513, but the model takes at most 512"),
        ([{"step": "distil", "max_length": 513}], "max_length is 513, but the model takes at most 512"),
        ([{"step": "movement-pruning", "max_length": 513}], "max_length is 513, but the model takes at most 512"),
        ([{"step": "onnx-static-int8", "max_length": 513}], "max_length is 513, but the model takes at most 512"),
        ([{"step": "head-pruning", "fraction": 0.04}], "removes none of the model's 12 heads .* Take more than 0.042"),
        (
            [{"step": "head-pruning", "fraction": 0.9}] * 2,
            "fraction is 0.9, which removes none of the model's 1 heads.* The last one always stays",
        ),
        (
            [{"step": "head-pruning", "fraction": 0.001, "criterion": "importance"}],
            "which removes none of the model's 72 heads. Take more than 0.0069",
        ),
        ([{"step": "ffn-pruning", "fraction": 0.0001}], "removes none of the model's 1536 neurons"),
        (
            [{"step": "block-movement-pruning", "heads": 0.04}],
            "heads is 0.04, which removes none of the model's 12 heads per layer",
        ),
        (
            [{"step": "block-movement-pruning", "neurons": 1e-4}],
            "neurons is 0.0001, which removes none of the model's 1536 neurons",
        ),
        ([{"step": "low-rank", "rank": 385}], "rank is 385, but must be at most 384, the model's hidden width"),
        (
            [{"step": "ffn-pruning", "fraction": 0.9}, {"step": "low-rank"}],
            "rank is 192, but must be at most 154, the model's number of neurons",
        ),
        (
            [{"step": "head-pruning", "fraction": 0.75}, {"step": "low-rank", "attention": True}],
            "rank is 192, but must be at most 96, the model's heads' width",
        ),
    ],
)
def test_what_does_not_fit_is_refused(entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        follow(BERT, *entries)


@pytest.mark.parametrize(
    "step",
    [
        "layer-pruning",
        "ffn-pruning",
        "head-pruning",
        "low-rank",
        "magnitude-pruning",
        "block-movement-pruning",
    ],
)
def test_an_unknown_architecture_is_refused(step: str) -> None:
    with pytest.raises(UserError, match=rf"model 'm': step '{step}' knows the \w+ of albert, .*model_type is gpt2"):
        follow(replace(BERT, model_type="gpt2"), {"step": step})


def test_another_attention_than_bert_s_keeps_its_heads() -> None:
    mpnet = replace(BERT, model_type="mpnet")
    for entry in ({"step": "head-pruning"}, {"step": "block-movement-pruning", "heads": 0.5}):
        with pytest.raises(UserError, match="cannot remove heads of mpnet: all layers share one table of positions"):
            follow(mpnet, entry)
    assert follow(mpnet, {"step": "block-movement-pruning"}).neurons == 768


def test_a_first_layer_unlike_the_others_stays() -> None:
    modernbert = replace(BERT, model_type="modernbert")
    with pytest.raises(UserError, match=r"keep is \[1, 2\], but the first layer of modernbert .*Begin the list with 0"):
        follow(modernbert, {"step": "layer-pruning", "keep": [1, 2]})
    assert follow(modernbert, {"step": "layer-pruning", "keep": [0, 2]}).layers == 2


def test_one_layer_repeated_is_run_less_often_and_frozen_never() -> None:
    albert = replace(BERT, model_type="albert", heads=(12,))
    half = follow(albert, {"step": "layer-pruning", "keep": 0.5})
    assert (half.layers, half.heads) == (3, (12,))
    with pytest.raises(UserError, match="frozen_layers is 1, but albert repeats a single layer"):
        follow(albert, {"step": "fine-tune", "frozen_layers": 1})


def test_another_tokenizer_is_refused() -> None:
    with pytest.raises(UserError, match="knows WordPiece, BPE, Unigram tokenizers, but the model's is WordLevel"):
        follow(replace(BERT, tokenizer="WordLevel"), {"step": "vocabulary-trimming"})


def test_heads_of_an_onnx_file_must_share_the_width() -> None:
    with pytest.raises(UserError, match="heads is 7, but must divide the model's hidden width, 384"):
        follow(BERT, {"step": "import-onnx-bert", "heads": 7})
    assert follow(replace(BERT, heads=None), {"step": "import-onnx-bert", "heads": 6}).heads == (6,) * 6


@pytest.mark.parametrize("step", ["head-pruning", "ffn-pruning", "layer-pruning", "low-rank", "fine-tune", "distil"])
def test_what_is_not_known_is_not_refused(step: str) -> None:
    assert follow(Shape(), {"step": step}) == Shape()


def test_a_distilbert_s_config_has_other_names() -> None:
    config = {"model_type": "distilbert", "n_layers": 3, "n_heads": 4, "dim": 64, "hidden_dim": 256}
    shape = shape_of_config(config, "x")
    assert (shape.layers, shape.heads, shape.head_size, shape.hidden, shape.neurons) == (3, (4, 4, 4), 16, 64, 256)


def test_a_config_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="num_hidden_layers is 'six', but must be a whole number above 0"):
        shape_of_config({"num_hidden_layers": "six"}, "config.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        shape_of_files(tmp_path)


def test_following_shapes_imports_no_heavy_library() -> None:
    steps = [{"step": name} for name in ("fine-tune", "distil", "head-pruning", "low-rank", "vocabulary-trimming")]
    program = (
        "import sys; from runner.techniques.chain import follow_shape, make_chain; "
        "from runner.techniques.shape import Shape; "
        f"follow_shape(make_chain({steps}, 'x'), Shape('bert', 6), 'x'); "
        "print([name for name in ('torch', 'transformers', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_every_known_architecture_can_be_cut(model_type: str, texts: Path, tmp_path: Path) -> None:
    entries = [{"step": "layer-pruning", "keep": [0]}, {"step": "ffn-pruning"}]
    entries += [{"step": "low-rank", "rank": 8, "attention": True}]
    entries += [{"step": "head-pruning"}] if ARCHITECTURES[model_type].heads_stay is None else []
    made = save_random(tmp_path / "model", texts, model_type)
    foretold = follow(shape_of_checkpoint(made), *entries)
    for number, entry in enumerate(entries):
        made, _ = apply_step(tmp_path / str(number), made, texts, **entry)
    assert shape_of_checkpoint(made) == foretold
    assert random_logits(load_checkpoint(made)).isfinite().all()


def test_what_is_known_to_fail_is_refused_when_composed() -> None:
    with pytest.raises(UserError, match=r"model 'm': step 'onnx-export' cannot transform .* 'longformer': a traced gr"):
        follow(Shape(model_type="longformer"), {"step": "onnx-export"})
    assert follow(Shape(model_type="longformer"), {"step": "bfloat16"}).model_type == "longformer"


@pytest.mark.parametrize("model_type", ["longformer", "xlm-roberta-xl", "data2vec-text", "roberta"])
def test_positions_that_padding_takes_are_not_for_texts(model_type: str) -> None:
    config = {"model_type": model_type, "max_position_embeddings": 514, "pad_token_id": 1}
    assert shape_of_config(config, "config.json").tokens == 512


def test_bigbird_takes_texts_that_it_attends_to_in_full() -> None:
    config = {"model_type": "big_bird", "max_position_embeddings": 4096, "pad_token_id": 0}
    assert shape_of_config(config, "config.json").tokens == (5 + 2 * 3) * 64
    assert shape_of_config(config | {"num_random_blocks": 2, "block_size": 16}, "config.json").tokens == 9 * 16
    assert shape_of_config(config | {"attention_type": "original_full"}, "config.json").tokens == 4096


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "xlm", "n_langs": 2}, r"it adds a vector for a text's language \(n_langs"),
        ({"model_type": "nystromformer", "num_landmarks": 8}, "it takes texts of exactly 64 tokens"),
        ({"model_type": "xlnet"}, "it expects padding before a text"),
    ],
)
def test_what_would_be_called_wrongly_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(
        UserError, match=f"^config.json: a model of the architecture '{config['model_type']}' is .*{message}"
    ):
        shape_of_config(config, "config.json")


@pytest.mark.parametrize("config", [{"model_type": "xlm", "n_langs": 1}, {"model_type": "nystromformer"}])
def test_others_of_the_same_architecture_are_not(config: dict[str, Any]) -> None:
    assert shape_of_config(config, "config.json").model_type == config["model_type"]


def test_heads_of_a_size_of_their_own_need_not_share_the_hidden_width() -> None:
    config = {"model_type": "qwen3", "hidden_size": 40, "num_attention_heads": 6, "num_hidden_layers": 1}
    assert shape_of_config(config | {"head_dim": 8}, "config.json").head_size == 8
    with pytest.raises(UserError, match="hidden_size 40 is not a multiple of num_attention_heads 6"):
        shape_of_config(config, "config.json")
