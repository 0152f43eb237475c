"""A head that does not fit the task is refused, from config.json and the sizes of tensors alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.config.task_kinds import MULTI_LABEL, SINGLE_LABEL, TOKENS
from runner.errors import UserError
from runner.techniques.importing.heads import check_head, names_of_outputs, tensors_of
from runner.techniques.importing.model_folder import check_folder

THREE = {"0": "bad", "1": "so", "2": "good"}
ROWS = {"bert.pooler.dense.weight": [32, 32], "classifier.weight": [3, 32], "classifier.bias": [3]}


def test_outputs_are_named_in_the_order_of_their_numbers() -> None:
    assert names_of_outputs({"id2label": {"2": "c", "0": "a", "1": "b"}}, "m") == ["a", "b", "c"]
    assert names_of_outputs({"id2label": {"0": 0, "1": 1}}, "m") == ["0", "1"]
    assert names_of_outputs({"num_labels": 3}, "m") == ["LABEL_0", "LABEL_1", "LABEL_2"]
    assert names_of_outputs({}, "m") == ["LABEL_0", "LABEL_1"]
    left_over = {"label2id": {"LABEL_0": 1, "b": 1}}
    assert names_of_outputs({"id2label": {"0": "a", "1": "b"}} | left_over, "m") == ["a", "b"]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"id2label": {"1": "a", "2": "b"}}, r"keys of id2label are 1, 2, but must number the outputs from 0 to 1"),
        ({"id2label": {"0": "a", "00": "b"}}, "must number the outputs from 0 to 1"),
        ({"id2label": {"a": 0, "b": 1}}, r"keys of id2label are a, b"),
        ({"id2label": ["a", "b"]}, r"id2label is \['a', 'b'\]"),
        ({"id2label": {"0": "a", "1": "a"}}, "gives the name 'a' to 2 outputs"),
        ({"id2label": {"0": "a", "1": None}}, "has the name None"),
        ({"id2label": {"0": "a", "1": 0.5}}, "has the name 0.5"),
        ({"id2label": {"0": "a", "1": "b"}, "num_labels": 3}, "num_labels is 3, but id2label names 2 outputs"),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 1, "b": 0}}, "label2id says that 'a' is output 1"),
        ({"num_labels": "3"}, "num_labels is '3'"),
    ],
)
def test_names_that_contradict_are_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"m: config.json: .*{message}"):
        names_of_outputs(config, "m")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"id2label": {"0": "bad", "1": "good"}}, r"head of 3 outputs \(classifier\.weight is \[3, 32\]\), .* names 2"),
        ({"id2label": THREE | {"3": "other"}}, r"id2label names 4 outputs \(bad, so, good, other\)"),
        ({}, "id2label is missing, which means 2"),
    ],
)
def test_a_head_has_a_row_for_each_name(config: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_head(config, ROWS, SINGLE_LABEL, "m")
    assert check_head({"id2label": THREE}, ROWS, SINGLE_LABEL, "m") == ["bad", "so", "good"]


def test_one_output_is_for_one_label_by_itself_alone() -> None:
    config = {"id2label": {"0": "score"}}
    for kind in (SINGLE_LABEL, TOKENS):
        with pytest.raises(UserError, match=r"one output \('score'\), a score .* 1 for every text.*multi-label"):
            check_head(config, {}, kind, "m")
    assert check_head(config, {}, MULTI_LABEL, "m") == ["score"]


@pytest.mark.parametrize(
    ("problem_type", "kind", "message"),
    [
        ("regression", MULTI_LABEL, "its outputs are numbers"),
        ("multi_label_classification", SINGLE_LABEL, r"any number of labels, .* Set task\.kind=multi-label"),
        ("single_label_classification", MULTI_LABEL, r"one label, .* Set task\.kind=single-label"),
        ("multi_label_classification", TOKENS, "any number of labels"),
        ("multi_label", SINGLE_LABEL, "Did you mean 'multi_label_classification'"),
    ],
)
def test_the_problem_type_must_be_the_tasks(problem_type: str, kind: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"config\.json: problem_type is '{problem_type}'.*{message}"):
        check_head({"problem_type": problem_type, "id2label": THREE}, ROWS, kind, "m")


@pytest.mark.parametrize("problem_type", [None, "single_label_classification"])
def test_the_right_problem_type_or_none_is_taken(problem_type: str | None) -> None:
    config = {"problem_type": problem_type, "id2label": THREE, "architectures": ["BertForSequenceClassification"]}
    assert check_head(config, ROWS, SINGLE_LABEL, "m") == list(THREE.values())


@pytest.mark.parametrize(
    "architecture",
    ["BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForQuestionAnswering", "BertForMultipleChoice",
     "GPT2LMHeadModel", "T5ForConditionalGeneration"],
)  # fmt: skip
def test_other_heads_are_refused(architecture: str) -> None:
    with pytest.raises(UserError, match=rf"no classification head: they are those of a {architecture}, .* head: new"):
        check_head({"architectures": [architecture]}, {}, SINGLE_LABEL, "m")


def test_the_sizes_of_tensors_are_read_from_all_files(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    for name in ("a", "b"):
        save_file({name: np.zeros((2, 3), "f4")}, tmp_path / f"model-{name}.safetensors")
    index = {"weight_map": {"a": "model-a.safetensors", "b": "model-b.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert tensors_of(tmp_path) == {"a": [2, 3], "b": [2, 3]}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("adapter_config.json", r"adapter .* merge_and_unload of peft, then save_pretrained"),
        ("adapter_model.safetensors", "merge_and_unload"),
        ("config_setfit.json", "SetFit model, whose head is a pickle"),
    ],
)
def test_what_changes_the_model_is_refused(file: str, message: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("{}")
    with pytest.raises(UserError, match=rf"m: {file} belongs to .*{message}"):
        check_folder(tmp_path, {}, False, "m")


def test_quantized_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"quantization_config says .* quantized already \(gptq\)"):
        check_folder(tmp_path, {"quantization_config": {"quant_method": "gptq"}}, False, "m")


def test_files_that_nothing_uses_are_named(tmp_path: Path) -> None:
    known = ["config.json", "model.safetensors", "tokenizer.json", "optimizer.pt", "README.md",
             "generation_config.json", "onnx/model.onnx", "pytorch_model.bin", "vocab.txt"]  # fmt: skip
    unknown = ["1_Pooling/config.json", "model_head.pkl", "thresholds.json", "head.safetensors"]
    for name in (*known, *unknown):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert check_folder(tmp_path, {}, False, "m") == sorted(unknown)
    assert "1_Pooling/config.json" not in check_folder(tmp_path, {}, True, "m")
