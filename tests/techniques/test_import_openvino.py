"""A model that is there only as OpenVINO's files gives the same predictions, in the order of the task's labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from runner.engines.checkpoint import load_checkpoint
from runner.engines.openvino import Engine
from runner.errors import UserError
from runner.techniques.importing.import_openvino import ImportOpenVino
from runner.techniques.openvino.openvino_graphs import import_openvino
from tests.techniques.conftest import apply_step
from tests.techniques.graph_folders import with_labels, write_sentence_transformers

CALL = (np.array([[1, 7, 8, 2], [1, 9, 2, 0]]), np.array([[1, 1, 1, 1], [1, 1, 1, 0]]))


@pytest.fixture(scope="module")
def graph(bert: Path, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as optimum writes it: config.json, the tokenizer, openvino_model.xml and .bin."""
    work = tmp_path_factory.mktemp("graph")
    exported, _ = apply_step(work / "exported", bert, texts, step="openvino-export")
    folder = Path(shutil.copytree(bert, work / "critic"))
    (folder / "model.safetensors").unlink()
    for ending in ("xml", "bin"):
        shutil.copy(exported / f"model.{ending}", folder / f"openvino_model.{ending}")
    return folder


def logits(folder: Path, name: str = "model.xml") -> np.ndarray:
    if name != "model.xml":
        model = import_openvino().Core().compile_model(folder / name, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        result: np.ndarray = model(dict(zip(("input_ids", "attention_mask"), CALL, strict=True)))[0]
        return result
    engine = Engine(folder, 1)
    return engine.logits(engine.run(engine.prepare(*CALL))).copy()


def test_the_graph_and_its_tokenizer_are_taken(graph: Path, texts: Path, tmp_path: Path) -> None:
    assert ImportOpenVino().check_files(graph, texts, "model 'critic'") == []
    folder, notes = apply_step(tmp_path / "i", graph, texts, step="import-openvino")
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.xml", "model.bin", "tokenizer.json"}
    assert logits(folder) == pytest.approx(logits(graph, "openvino_model.xml"), abs=1e-6)
    assert notes["labels"] == ["negative", "neutral", "positive"]


def test_outputs_are_put_into_the_order_of_the_labels(graph: Path, texts: Path, tmp_path: Path) -> None:
    turned = with_labels(graph, tmp_path / "s", ["positive", "negative", "neutral"])
    folder, _ = apply_step(tmp_path / "i", turned, texts, step="import-openvino")
    assert logits(folder) == pytest.approx(logits(graph, "openvino_model.xml")[:, [1, 2, 0]], abs=1e-6)


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("head", ["mean", "first"])
def test_an_encoder_is_pooled_as_its_checkpoint_would_be(
    head: str, normalized: bool, graph: Path, bert: Path, texts: Path, tmp_path: Path
) -> None:
    files = Path(shutil.copytree(bert, tmp_path / "files"))
    if normalized:
        write_sentence_transformers(files, head)
    reference, _ = apply_step(tmp_path / "c", files, texts, step="import-checkpoint", head=head)
    model, openvino = load_checkpoint(reference), import_openvino()
    example = dict(zip(("input_ids", "attention_mask"), map(torch.from_numpy, CALL), strict=True))
    with torch.inference_mode():
        vectors = model(**example).logits.numpy()
        exported = openvino.convert_model(model.encoder, example_input=example | {"return_dict": torch.tensor(False)})
    exported.outputs[0].get_tensor().set_names({"last_hidden_state"})
    (files / "model.safetensors").unlink()
    openvino.save_model(exported, files / "openvino_model.xml", compress_to_fp16=False)
    folder, notes = apply_step(tmp_path / "i", files, texts, step="import-openvino", head=head)
    assert logits(folder) == pytest.approx(vectors, abs=1e-5)
    assert notes["labels"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("input_ids", "ids"), "takes the inputs ids, attention_mask.*Export it again with inputs of these names"),
        (('version="opset', 'version="mine'), "operator .* of 'mine.*', but only OpenVINO's own are allowed"),
        (("</net>", ""), "is not OpenVINO's XML: no element found"),
        (None, "needs openvino_model.bin, which holds its weights"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    change: tuple[str, str] | None, said: str, graph: Path, texts: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(graph, tmp_path / "s"))
    if change is None:
        (folder / "openvino_model.bin").unlink()
    else:
        path = folder / "openvino_model.xml"
        path.write_text(path.read_text().replace(*change))
    with pytest.raises(UserError, match=said):
        ImportOpenVino().check_files(folder, texts, "model 'critic'")


def test_damaged_weights_are_refused(graph: Path, texts: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(graph, tmp_path / "s"))
    (folder / "openvino_model.bin").write_bytes(b"short")
    with pytest.raises(UserError, match=r"openvino_model\.xml cannot be run on 3 texts of 7 tokens"):
        apply_step(tmp_path / "i", folder, texts, step="import-openvino")
