"""A BERT that was exported to ONNX is imported with the same hidden states."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest
import torch
from onnx import helper
from transformers import BertModel

from runner.engines.checkpoint import load_checkpoint
from runner.errors import UserError
from tests.techniques.conftest import CHECKPOINT, apply_step

IDS = torch.randint(5, 300, (2, 9), generator=torch.Generator().manual_seed(0))


class _Hidden(torch.nn.Module):
    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden


@pytest.fixture(scope="module")
def files(bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny BERT's encoder as a package might have it: ONNX, without a pooler, with a tokenizer."""
    folder = tmp_path_factory.mktemp("onnx")
    encoder = BertModel.from_pretrained(bert, add_pooling_layer=False, attn_implementation="eager").eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in encoder.parameters():  # equal tensors, such as biases of 0, would be stored only once
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    encoder.save_pretrained(folder / "encoder")
    tokens = {0: "batch", 1: "length"}
    torch.onnx.export(
        _Hidden(encoder),
        (IDS, torch.ones_like(IDS)),
        str(folder / "model.onnx"),
        input_names=["input_ids", "attention_mask"],
        output_names=["hidden"],
        dynamic_axes={"input_ids": tokens, "attention_mask": tokens, "hidden": tokens},
        dynamo=False,
    )
    shutil.copy(bert / "tokenizer.json", folder)
    return folder


def test_the_encoder_comes_back(files: Path, texts: Path, tmp_path: Path) -> None:
    folder, notes = apply_step(tmp_path / "i", files, texts, step="import-onnx-bert", heads=4)
    assert notes["head"] == "new"
    assert notes["largest_difference"] < 1e-5
    expected = BertModel.from_pretrained(files / "encoder", add_pooling_layer=False).state_dict()
    state = load_checkpoint(folder).base_model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in expected.items())
    assert {path.name for path in folder.iterdir()} == CHECKPOINT


def test_a_wrong_number_of_heads_is_noticed(files: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"differ by .*\. Check the key heads"):
        apply_step(tmp_path / "i", files, texts, step="import-onnx-bert", heads=2)


def test_another_graph_is_refused(files: Path, texts: Path, tmp_path: Path) -> None:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", [x], [y])
    (tmp_path / "s").mkdir()
    onnx.save(helper.make_model(graph), str(tmp_path / "s" / "model.onnx"))
    with pytest.raises(UserError, match=r"model\.onnx is not a BERT encoder: no tensor's name ends in embeddings"):
        apply_step(tmp_path / "i", tmp_path / "s", texts, step="import-onnx-bert")


def test_a_file_is_needed(texts: Path, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    with pytest.raises(UserError, match=r"the model has no file model\.onnx"):
        apply_step(tmp_path / "i", tmp_path / "s", texts, step="import-onnx-bert")


def test_labels_are_needed(files: Path, unlabelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the task has no labels to train a head on"):
        apply_step(tmp_path / "i", files, unlabelled, step="import-onnx-bert", heads=4)


def test_heads_must_be_positive(files: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="heads is 0, but must be at least 1"):
        apply_step(tmp_path / "i", files, texts, step="import-onnx-bert", heads=0)
