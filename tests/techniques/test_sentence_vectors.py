"""Vectors are made as a sentence-transformers folder says, or the folder is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.techniques.importing.sentence_vectors import check_vectors
from runner.techniques.shape import shape_of_files
from tests.techniques.conftest import apply_step

TRANSFORMER, POOLING, NORMALIZE, DENSE = (
    {"path": path, "type": f"sentence_transformers.models.{kind}"}
    for path, kind in (
        ("", "Transformer"),
        ("1_Pooling", "Pooling"),
        ("2_Normalize", "Normalize"),
        ("2_Dense", "Dense"),
    )
)
MEAN, CLS = {"pooling_mode_mean_tokens": True}, {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}


def _write(folder: Path, modules: list[dict[str, str]], pooling: dict[str, Any], **files: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "1_Pooling").mkdir()
    for name, content in {"modules": modules, "1_Pooling/config": pooling, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_poolings_that_are_known_are_followed(tmp_path: Path) -> None:
    plain, ended = [TRANSFORMER, POOLING], [TRANSFORMER, POOLING, NORMALIZE]
    assert check_vectors(_write(tmp_path / "a", plain, MEAN), "mean", "m") is False
    assert check_vectors(_write(tmp_path / "b", ended, CLS), "first", "m") is True
    assert check_vectors(_write(tmp_path / "c", ended, {"pooling_mode": "cls"}), "first", "m") is True
    (tmp_path / "d").mkdir()
    assert check_vectors(tmp_path / "d", "first", "m") is False


@pytest.mark.parametrize(
    ("modules", "pooling", "message"),
    [
        ([TRANSFORMER, POOLING], CLS, r"pools tokens by cls_token, but .* the head mean\. Set .*head: first"),
        (
            [TRANSFORMER, POOLING],
            {"pooling_mode_max_tokens": True},
            "pools tokens by max_tokens, which is not supported",
        ),
        ([TRANSFORMER, POOLING], MEAN | {"pooling_mode_cls_token": True}, "by mean_tokens and cls_token, which is not"),
        ([TRANSFORMER, POOLING], {"pooling_mode": "lasttoken"}, "pools tokens by lasttoken"),
        ([TRANSFORMER, POOLING], {}, "pools tokens by None"),
        ([TRANSFORMER, POOLING, DENSE, NORMALIZE], MEAN, "but 2_Dense is not supported"),
        ([TRANSFORMER, NORMALIZE, POOLING], MEAN, "this order is not supported"),
    ],
)
def test_other_vectors_are_refused(
    modules: list[dict[str, str]], pooling: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        check_vectors(_write(tmp_path / "s", modules, pooling), "mean", "m")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config_sentence_transformers", {"default_prompt_name": "q", "prompts": {"q": "query: "}}, "name is 'q'"),
        ("config_sentence_transformers", {"similarity_fn_name": "dot"}, "similarity_fn_name is 'dot'"),
        ("sentence_bert_config", {"do_lower_case": True}, "do_lower_case is true"),
    ],
)
def test_other_texts_and_similarities_are_refused(
    file: str, content: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "s", [TRANSFORMER, POOLING], MEAN, **{file: content})
    with pytest.raises(UserError, match=message):
        check_vectors(folder, "mean", "m")


def test_without_effect_they_are_taken(tmp_path: Path) -> None:
    settings = {"default_prompt_name": None, "prompts": {"query": "query: "}, "similarity_fn_name": "dot"}
    folder = _write(tmp_path / "s", [TRANSFORMER, POOLING, NORMALIZE], MEAN, config_sentence_transformers=settings)
    assert check_vectors(folder, "mean", "m") is True


def test_texts_are_cut_where_the_folder_says(tmp_path: Path) -> None:
    folder = _write(tmp_path / "s", [TRANSFORMER, POOLING], MEAN, sentence_bert_config={"max_seq_length": 16})
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    from runner.techniques.importing.import_checkpoint import ImportCheckpoint

    shape = shape_of_files(folder)
    assert ImportCheckpoint(head="mean").infer_shape(shape).tokens == 16
    assert ImportCheckpoint(head="new").infer_shape(shape).tokens == 512


def test_vectors_are_of_length_one_where_the_folder_says(bert: Path, unlabelled: Path, tmp_path: Path) -> None:
    source = tmp_path / "s"
    AutoModel.from_pretrained(bert).save_pretrained(source)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (source / name).write_bytes((bert / name).read_bytes())
    ids = torch.randint(5, 300, (2, 9), generator=torch.Generator().manual_seed(0))
    vectors = []
    for name in ("plain", "normalized"):
        folder, notes = apply_step(tmp_path / name, source, unlabelled, step="import-checkpoint", head="mean")
        assert notes == {"head": "mean", "labels": []}
        with torch.inference_mode():
            vectors.append(load_checkpoint(folder)(ids, torch.ones_like(ids)).logits)
        if name == "plain":
            _write(source, [TRANSFORMER, POOLING, NORMALIZE], MEAN)
    torch.testing.assert_close(vectors[1], torch.nn.functional.normalize(vectors[0]))
    assert not torch.allclose(vectors[0], vectors[1])
