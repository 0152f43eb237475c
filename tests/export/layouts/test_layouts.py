"""The files of each layout, and what cannot have it. What the clients make of the files is in `test_clients`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import pytest
import yaml
from google.protobuf import text_format
from huggingface_hub import ModelCard

from runner.config.load import BatchingConfig, LoadConfig, LoadKind
from runner.errors import UserError
from runner.export.layouts.layout import Handover
from runner.export.layouts.registry import LAYOUTS, layout_of
from runner.export.layouts.transformers_js import TransformersJs
from runner.export.layouts.triton import Triton
from runner.export.settings import predict_settings
from runner.export.sources import find_sources
from runner.export.variant import find_variant
from runner.export.write import export
from runner.results.tables import Tables
from runner.tasks.tokenizer import load_tokenizer, save_tokenizer
from tests.export.conftest import Job
from tests.export.layouts.environments import triton_model_config

FILES = {  # task, technique, layout -> the files besides README.md and measurements.json
    ("single", "onnx-int8", "optimum"): ["model.onnx"],
    ("single", "openvino", "optimum"): ["openvino_model.bin", "openvino_model.xml"],
    ("single", "onnx", "transformers.js"): ["onnx/model.onnx"],
    ("single", "onnx-int8", "transformers.js"): ["onnx/model_quantized.onnx"],
    ("single", "onnx-weights-4bit", "transformers.js"): ["onnx/model_q4.onnx"],
    ("single", "onnx-int8", "tei"): ["onnx/model.onnx", "sentence_bert_config.json"],
    ("pairs", "onnx-int8", "sentence-transformers"): ["onnx/model.onnx"],
    ("vectors", "onnx-int8", "sentence-transformers"): [
        *("1_Pooling/config.json", "config_sentence_transformers.json", "modules.json", "onnx/model.onnx"),
        "sentence_bert_config.json",
    ],
    ("vectors", "openvino", "sentence-transformers"): [
        *("1_Pooling/config.json", "config_sentence_transformers.json", "modules.json"),
        *("openvino/openvino_model.bin", "openvino/openvino_model.xml", "sentence_bert_config.json"),
    ],
    ("vectors", "onnx", "tei"): [
        *("1_Pooling/config.json", "config_sentence_transformers.json", "modules.json", "onnx/model.onnx"),
        "sentence_bert_config.json",
    ],
}
OF_TRANSFORMERS = ["config.json", "tokenizer.json", "tokenizer_config.json"]
REFUSED = {  # task, technique, layout -> the reason
    ("single", "torchscript", "transformers.js"): "measured with PyTorch .TorchScript., but Transformers.js runs ONNX",
    ("single", "torchscript", "optimum"): "Optimum runs ONNX Runtime or OpenVINO",
    ("single", "torch-eager", "tei"): "Text Embeddings Inference runs ONNX Runtime",
    ("single", "openvino", "transformers.js"): "measured with OpenVINO, but Transformers.js runs ONNX Runtime",
    ("single", "openvino", "triton"): "takes no inputs of variable length. Take --layout openvino-model-server",
    ("single", "onnx", "openvino-model-server"): "measured with ONNX Runtime, but OpenVINO Model Server runs OpenVINO",
    ("single", "onnx", "sentence-transformers"): "this model evaluates one text .*Take --layout optimum",
    ("several", "onnx", "tei"): "kind multi-label, but Text Embeddings Inference applies softmax to the logits",
    ("tagged", "onnx", "tei"): "kind tokens",
    ("tagged", "onnx", "transformers.js"): "cannot tokenize a text that is split into words",
}


def _files(folder: Path) -> list[str]:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if path not in ("README.md", "measurements.json")]


def _handover(swept_tasks: Tables, job: str, load: LoadConfig | None = None) -> Handover:
    variant = find_variant(swept_tasks, job)
    sources = find_sources(variant, swept_tasks.folder.parent / "store", swept_tasks.folder)
    return Handover(variant, sources, predict_settings(variant, sources), load or LoadConfig(), {})


@pytest.mark.parametrize(("task", "technique", "layout"), FILES)
def test_every_file_is_where_its_loader_looks(
    task: str, technique: str, layout: str, swept_tasks: Tables, job: Job, tmp_path: Path
) -> None:
    export(swept_tasks, job(task, technique), tmp_path / "out", layout)
    assert _files(tmp_path / "out") == sorted([*FILES[task, technique, layout], *OF_TRANSFORMERS])
    tokenizer = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert tokenizer["model_max_length"] == find_variant(swept_tasks, job(task, technique)).row["max_length"]
    measured = json.loads((tmp_path / "out" / "measurements.json").read_text())
    assert measured["layout"] == layout
    assert {*measured["files"]} == {*_files(tmp_path / "out"), "README.md"}


@pytest.mark.parametrize(("task", "technique", "layout"), REFUSED)
def test_what_a_layout_cannot_hold_is_refused_with_the_reason(
    task: str, technique: str, layout: str, swept_tasks: Tables, job: Job, tmp_path: Path
) -> None:
    reason = f"cannot be exported with the layout '{layout}'.*{REFUSED[task, technique, layout]}"
    with pytest.raises(UserError, match=reason):
        export(swept_tasks, job(task, technique), tmp_path / "out", layout)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_that_is_taken_is_left_alone(layout: str, swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    technique = "openvino" if layout == "openvino-model-server" else "onnx"
    task = "vectors" if layout == "sentence-transformers" else "single"
    with pytest.raises(UserError, match="there already"):
        export(swept_tasks, job(task, technique), tmp_path / "full", layout)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine"]


def test_only_the_layout_pinbox_has_a_service(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Leave out --service or --layout"):
        export(swept_tasks, job("single", "onnx"), tmp_path / "out", "optimum", with_service=True)
    with pytest.raises(UserError, match="must be one of pinbox, sentence-transformers"):
        layout_of("onxx")


def test_the_card_says_what_the_server_needs(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    export(swept_tasks, job("single", "onnx-weights-4bit"), tmp_path / "out", "optimum")
    card = (tmp_path / "out" / "README.md").read_text()
    for said in (
        "opset 17",
        "com.microsoft.MatMulNBits",
        "ORTModelForSequenceClassification",
        "intra_op_num_threads = 1",
    ):
        assert said in card
    export(swept_tasks, job("single", "onnx-int8"), tmp_path / "int8", "tei")
    card = (tmp_path / "int8" / "README.md").read_text()
    assert "which requires VNNI on x86" in card
    assert "Only ONNX's own operators" in card
    export(swept_tasks, job("single", "openvino"), tmp_path / "openvino", "optimum")
    assert "INFERENCE\\_PRECISION\\_HINT=f32" in (tmp_path / "openvino" / "README.md").read_text()


@pytest.mark.parametrize("technique", ["onnx", "openvino"])
def test_a_vector_becomes_the_state_of_one_token(technique: str, swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    key = job("vectors", technique)
    export(swept_tasks, key, tmp_path / "out", "optimum")
    recorded = json.loads((swept_tasks.folder / "predictions" / f"{key}.json").read_text())
    handover = _handover(swept_tasks, key)
    tokenizer = load_tokenizer(handover.sources.checkpoint, handover.settings["max_length"])
    for text, vector in zip(recorded["texts"], recorded["logits"], strict=True):
        ids = np.array([tokenizer.encode(text).ids])
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        if technique == "onnx":
            import onnxruntime

            session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
            (states,) = session.run(["last_hidden_state"], inputs)
        else:
            model = openvino.Core().compile_model(
                tmp_path / "out" / "openvino_model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
            )
            states = model(inputs)["last_hidden_state"]
        assert states.shape == (1, 1, len(vector))
        np.testing.assert_allclose(states[0, 0], vector, atol=1e-5)


def test_a_classifier_is_the_measured_one_byte_for_byte(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    key = job("single", "onnx-int8")
    artifact = _handover(swept_tasks, key).sources.artifact / "model.onnx"
    for layout, place in (("optimum", "model.onnx"), ("transformers.js", "onnx/model_quantized.onnx")):
        export(swept_tasks, key, tmp_path / layout, layout)
        assert (tmp_path / layout / place).read_bytes() == artifact.read_bytes()


def test_labels_are_those_that_were_evaluated(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    export(swept_tasks, job("single", "onnx"), tmp_path / "out", "optimum")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["id2label"] == {"0": "False", "1": "True"}
    assert config["label2id"] == {"False": 0, "True": 1}
    assert config["problem_type"] == "single_label_classification"


def test_transformers_js_asks_for_the_file_by_itself(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    export(swept_tasks, job("single", "onnx-int8"), tmp_path / "out", "transformers.js")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["transformers.js_config"] == {"dtype": "q8"}


def test_a_tokenizer_that_transformers_js_cannot_express_is_refused(
    swept_tasks: Tables, job: Job, tmp_path: Path
) -> None:
    handover = _handover(swept_tasks, job("single", "onnx"))
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    for file in handover.sources.checkpoint.iterdir():
        (checkpoint / file.name).write_bytes(file.read_bytes())
    sources = replace(handover.sources, checkpoint=checkpoint)
    TransformersJs().check(replace(handover, sources=sources))
    save_tokenizer(load_tokenizer(checkpoint), "left", checkpoint)
    with pytest.raises(UserError, match="cuts long texts on the left"):
        TransformersJs().check(replace(handover, sources=sources))
    save_tokenizer(load_tokenizer(checkpoint), "right", checkpoint)
    content = json.loads((checkpoint / "tokenizer.json").read_text())
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}]}
    (checkpoint / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="does not know parts of its tokenizer: pre_tokenizer UnicodeScripts"):
        TransformersJs().check(replace(handover, sources=sources))


def test_the_model_server_has_the_measured_workers(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    key = job("single", "openvino")
    folder = tmp_path / "out"
    layout_of("openvino-model-server").write(
        _handover(swept_tasks, key, LoadConfig("busy", LoadKind.open, workers=3)), _made(folder)
    )
    (model,) = json.loads((folder / "config.json").read_text())["model_config_list"]
    name = model["config"]["name"]
    assert _files(folder) == ["config.json", f"{name}/1/model.bin", f"{name}/1/model.xml", "tokenizer.json"]
    # The keys that the server's schema allows: src/schema.cpp of openvinotoolkit/model_server
    assert {*model["config"]} <= {
        *("name", "base_path", "batch_size", "model_version_policy", "shape", "nireq", "target_device"),
        *("plugin_config", "stateful", "idle_sequence_cleanup", "low_latency_transformation", "max_sequence_number"),
    }
    assert model["config"]["base_path"] == f"/models/{name}"
    assert model["config"]["plugin_config"] == {
        "NUM_STREAMS": "3",
        "INFERENCE_NUM_THREADS": "3",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    recorded = json.loads((swept_tasks.folder / "predictions" / f"{key}.json").read_text())
    compiled = openvino.Core().compile_model(folder / name / "1" / "model.xml", "CPU", model["config"]["plugin_config"])
    tokenizer = load_tokenizer(folder, recorded_length(swept_tasks, key))
    for text, logits in zip(recorded["texts"], recorded["logits"], strict=True):
        ids = np.array([tokenizer.encode(text).ids])
        found = compiled({"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
        assert found.argmax() == np.argmax(logits)
        np.testing.assert_allclose(found, logits, atol=1e-5)


def recorded_length(swept_tasks: Tables, key: str) -> int:
    length: int = find_variant(swept_tasks, key).row["max_length"]
    return length


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_triton_gets_the_batching_that_was_measured(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    load = LoadConfig("busy", LoadKind.open, workers=2, batching=BatchingConfig(8, 2.5), queue=64)
    handover = _handover(swept_tasks, job("single", "onnx-int8"), load)
    layout_of("triton").check(handover)
    layout_of("triton").write(handover, _made(tmp_path / "out"))
    model = tmp_path / "out" / "model_repository" / handover.slug
    assert sorted(path.name for path in model.rglob("*")) == ["1", "config.pbtxt", "model.onnx"]
    config = text_format.Parse((model / "config.pbtxt").read_text(), triton_model_config()())  # unknown fields fail
    assert (config.name, config.backend, config.max_batch_size) == (handover.slug, "onnxruntime", 8)
    graph = onnx.load(model / "1" / "model.onnx").graph
    assert [(one.name, one.data_type, [*one.dims]) for one in config.input] == [
        (end.name, 9, [-1])
        for end in graph.input  # 9 is TYPE_INT64
    ]
    assert [(one.name, one.data_type, [*one.dims]) for one in config.output] == [
        ("logits", 11, [len(handover.variant.labels)])  # 11 is TYPE_FP32
    ]
    assert [(group.count, group.kind) for group in config.instance_group] == [(2, 2)]  # KIND_CPU
    assert config.dynamic_batching.max_queue_delay_microseconds == 2500
    assert config.dynamic_batching.default_queue_policy.max_queue_size == 64
    assert config.parameters["intra_op_thread_count"].string_value == "1"
    closed = _handover(swept_tasks, job("single", "onnx-int8"))
    Triton().write(closed, _made(tmp_path / "closed"))
    path = tmp_path / "closed" / "model_repository" / handover.slug / "config.pbtxt"
    config = text_format.Parse(path.read_text(), triton_model_config()())
    assert not config.HasField("dynamic_batching")
    assert config.max_batch_size == closed.variant.row["batch_size"]


def test_triton_needs_a_free_batch_size(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    handover = _handover(swept_tasks, job("single", "onnx"))
    model = onnx.load(handover.sources.artifact / "model.onnx")
    for end in model.graph.input:
        end.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(UserError, match="fixed batch size"):
        Triton().check(replace(handover, sources=replace(handover.sources, artifact=tmp_path)))


def test_tei_needs_what_it_reads_of_the_config(swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    handover = _handover(swept_tasks, job("single", "onnx"))
    for file in handover.sources.checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config: dict[str, Any] = json.loads((tmp_path / "config.json").read_text())
    moved = replace(handover, sources=replace(handover.sources, checkpoint=tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": None, "dim": 32}))
    layout_of("tei").check(moved)
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": None}))
    with pytest.raises(UserError, match="does not say hidden_size"):
        layout_of("tei").check(moved)
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))
    with pytest.raises(UserError, match="ends with Classification"):
        layout_of("tei").check(moved)


@pytest.mark.parametrize("technique", ["torch-eager", "torchscript", "onnx-int8", "openvino"])
def test_the_hub_reads_the_measurements(technique: str, swept_tasks: Tables, job: Job, tmp_path: Path) -> None:
    key = job("single", technique)
    export(swept_tasks, key, tmp_path / "out", "hub")
    card = ModelCard((tmp_path / "out" / "README.md").read_text())
    row = find_variant(swept_tasks, key).row
    found = {one.metric_name: one.metric_value for one in card.data.eval_results}
    assert found["Latency p50 (ms)"] == pytest.approx(row["latency_p50_seconds"] * 1e3, rel=1e-4)
    assert found["Size on disk (MB)"] == pytest.approx(row["disk_bytes"] / 1e6)
    assert {"predict.py", "settings.json", *OF_TRANSFORMERS} <= {*_files(tmp_path / "out")}
    assert yaml.safe_load(card.data.to_yaml())["model-index"][0]["results"][0]["dataset"]["split"] == "test"
