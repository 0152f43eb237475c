"""A model that is there only as ONNX gives the same predictions as before, in the order of the task's labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from runner.tasks.texts import Example, Texts, write_texts
from runner.techniques.importing.import_onnx import ImportOnnx
from tests.techniques.conftest import apply_step
from tests.techniques.graph_folders import with_labels, write_sentence_transformers

CALL = {"input_ids": np.array([[1, 7, 8, 2], [1, 9, 2, 0]]), "attention_mask": np.array([[1, 1, 1, 1], [1, 1, 1, 0]])}


@pytest.fixture(scope="module")
def graph(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as other tools export it: config.json, the tokenizer, and onnx/model.onnx."""
    work = tmp_path_factory.mktemp("graph")
    exported, _ = apply_step(work / "exported", bert, texts, step="onnx-export")
    folder = work / "critic"
    shutil.copytree(bert, folder)
    (folder / "model.safetensors").unlink()
    (folder / "onnx").mkdir()
    shutil.copy(exported / "model.onnx", folder / "onnx/model.onnx")
    return folder


def logits(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    taken = {entry.name for entry in session.get_inputs()}
    types = {"token_type_ids": np.zeros_like(CALL["input_ids"])}
    result: np.ndarray = session.run(None, {k: v for k, v in (CALL | types).items() if k in taken})[0]
    return result


def test_the_graph_and_its_tokenizer_are_taken(graph: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "i", graph, texts, step="import-onnx", file="onnx/model.onnx")
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.onnx", "tokenizer.json"}
    assert np.array_equal(logits(folder / "model.onnx"), logits(graph / "onnx/model.onnx"))
    assert notes["labels"] == ["negative", "neutral", "positive"]


def test_outputs_are_put_into_the_order_of_the_labels(graph: Path, texts: Path, tmp_path: Path) -> None:
    turned = with_labels(graph, tmp_path / "s", ["positive", "negative", "neutral"])
    folder, notes = apply_step(tmp_path / "i", turned, texts, step="import-onnx", file="onnx/model.onnx")
    assert np.array_equal(logits(folder / "model.onnx"), logits(graph / "onnx/model.onnx")[:, [1, 2, 0]])
    assert notes["label_outputs"]["positive"]["output"] == 0
    assert json.loads((folder / "config.json").read_text())["id2label"]["0"] == "negative"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("input", "takes the inputs ids, attention_mask.*Export it again with inputs of these names"),
        ("output", "has the outputs last_hidden_state, pooled, of which none is called logits"),
        ("missing", "there is no onnx/model.onnx in the model's folder"),
        ("labels", "the model has no output for furious"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    change: str, said: str, graph: Path, texts: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(graph, tmp_path / "s"))
    model = onnx.load(folder / "onnx/model.onnx")
    if change == "input":
        model.graph.input[0].name = "ids"
    if change == "output":
        model.graph.output[0].name = "last_hidden_state"
        model.graph.output.append(helper.make_tensor_value_info("pooled", 1, None))
    onnx.save(model, folder / "onnx/model.onnx")
    if change == "missing":
        (folder / "onnx/model.onnx").unlink()
    if change == "labels":
        (tmp_path / "t").mkdir()
        one = [Example("a text", 0), Example("another", 1)]
        write_texts(Texts(["furious", "negative"], [], [], one), tmp_path / "t")
        texts = tmp_path / "t"
    with pytest.raises(UserError, match=said):
        ImportOnnx("onnx/model.onnx").check_files(folder, texts, "model 'critic'")


def test_a_graph_for_one_batch_size_is_refused(graph: Path, texts: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(graph, tmp_path / "s"))
    model = onnx.load(folder / "onnx/model.onnx")
    for entry in model.graph.input:
        entry.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, folder / "onnx/model.onnx")
    with pytest.raises(UserError, match=r"cannot be run on 3 texts of 7 tokens.*a free batch size and length"):
        apply_step(tmp_path / "i", folder, texts, step="import-onnx", file="onnx/model.onnx")


@pytest.fixture(scope="module")
def encoder(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as optimum exports an encoder: the tokens' vectors and another output, in an old opset."""
    work = tmp_path_factory.mktemp("encoder")
    made = {"head": "mean", "step": "import-checkpoint"}
    model = load_checkpoint(apply_step(work / "checkpoint", bert, texts, **made)[0], "eager").encoder
    folder = work / "encoder"
    shutil.copytree(bert, folder)
    (folder / "model.safetensors").unlink()
    with torch.inference_mode():
        torch.onnx.export(
            _States(model),
            tuple(map(torch.from_numpy, CALL.values())),
            folder / "model.onnx",
            input_names=list(CALL),
            output_names=["last_hidden_state", "largest"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in (*CALL, "last_hidden_state")},
            opset_version=12,
            dynamo=False,
        )
    return folder


class _States(torch.nn.Module):
    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states, states.amax((1, 2))


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("head", ["mean", "first"])
def test_an_encoder_is_pooled_as_its_checkpoint_would_be(
    head: str, normalized: bool, encoder: Path, bert: Path, texts: Path, tmp_path: Path
) -> None:
    sources = []
    for name, files in (("graph", encoder), ("checkpoint", bert)):
        sources.append(Path(shutil.copytree(files, tmp_path / name)))
        if normalized:
            write_sentence_transformers(sources[-1], head)
    folder, notes = apply_step(tmp_path / "i", sources[0], texts, step="import-onnx", head=head)
    reference, _ = apply_step(tmp_path / "c", sources[1], texts, step="import-checkpoint", head=head)
    with torch.inference_mode():
        vectors = load_checkpoint(reference)(*map(torch.from_numpy, CALL.values())).logits.numpy()
    assert logits(folder / "model.onnx") == pytest.approx(vectors, abs=1e-5)
    assert notes["labels"] == []
    assert json.loads((folder / "config.json").read_text()).get("vector_normalized") is normalized


def test_a_classifier_is_no_encoder(graph: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gives an output of shape \[1\]|cannot be run on 3 texts of 7 tokens"):
        apply_step(tmp_path / "i", graph, texts, step="import-onnx", file="onnx/model.onnx", head="mean")


def test_an_encoder_is_no_classifier(encoder: Path, texts: Path) -> None:
    with pytest.raises(UserError, match="has the outputs last_hidden_state, largest, of which none is called logits"):
        ImportOnnx().check_files(encoder, texts, "model 'critic'")
