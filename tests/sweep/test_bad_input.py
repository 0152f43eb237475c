"""Bad input ends with exit code 2, a message that says what to do, no traceback, and before anything starts."""

from __future__ import annotations

import importlib.util
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.__main__ import main
from tests.models.files import write_files
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
SMOKE = ["model=tiny", "task=alice", "workload=smoke", "measure=smoke", "isolation=process"]


Refused = Callable[..., str]
CASCADE = [
    "technique.steps=[{step: onnx-export}, {step: onnx-dynamic-int8}, {step: cascade}]",
    "technique.engine=onnxruntime",
]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refused:
    """Run a sweep as a user would, but in this process; check that it is refused; return what it said."""
    monkeypatch.chdir(ROOT)

    def run(*arguments: str, out: Path = tmp_path / "out") -> str:
        monkeypatch.setattr("sys.argv", ["pinbox", "-m", f"hydra.sweep.dir={out}", *SMOKE, *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr().err
        assert end.value.code == 2, said
        assert said.startswith("pinbox: ")
        assert not list(out.glob("trials/*"))
        return " ".join(said.split())

    return run


CASES = {
    "model": (
        ["model=minilm-l7"],
        "There is no model 'minilm-l7' (conf/model/minilm-l7.yaml). Did you mean 'minilm-l6'?",
    ),
    "technique": (["technique=onxx"], "There is no technique 'onxx' (conf/technique/onxx.yaml). Did you mean 'onnx'?"),
    "grid": (["grid=demos"], "There is no grid 'demos' (conf/grid/demos.yaml). Did you mean 'demo'?"),
    "group": (["modell=tiny"], "Did you mean 'model'?"),
    "key": (["workload.batchsize=2"], "there is no key 'workload.batchsize'. Did you mean 'batch_size'?"),
    "top key": (["thread=2"], "Did you mean 'threads'?"),
    "added key": (["+thread=2"], "Did you mean 'threads'?"),
    "type": (["threads=two"], "threads (threads=two): Value 'two' of type 'str' could not be converted to Integer."),
    "choice": (["workload.padding=left"], "expected one of [longest, bucketed, max_length]"),
    "list of a group": (["technique=[onnx,torch-eager]"], "To run each of them, write technique=onnx,torch-eager."),
    "list of a value": (["threads=[1,2]"], "To run each of them, write threads=1,2."),
    "syntax": (["threads=1,"], "is not an override"),
    "no threads": (["threads=0"], "threads is 0, but must be at least 1."),
    "threads": (["threads=999"], "threads is 999, but only"),
    "batch size": (["workload.batch_size=0"], "workload.batch_size is 0, but must be at least 1."),
    "precision": (["technique.precision=int7"], "is 'int7'. Did you mean 'int8'? Allowed: bfloat16, float32, int8."),
    "code elsewhere": (["model.source.code=[../evil.py]"], "must name files"),
    "memory": (["isolation.memory=1MiB"], "too small for any engine to start"),
    "not memory": (["isolation.memory=much"], "not a size"),
    "fewer rounds at most": (["measure.max_rounds=1"], "measure.max_rounds is 1, but must be at least"),
    "margin": (["quality.margin=-1"], "quality.margin is -1, but must be at least 0"),
    "no margin": (["quality.margin=nan"], "quality.margin is nan, but must be at least 0"),
    "limit": (["measure.limits.steal_fraction=-1"], "measure.limits.steal_fraction is -1"),
    "rounds": (["measure.rounds=0"], "measure.rounds is 0, but must be at least 1."),
    "chain": (
        ["technique.steps=[{step: onnx-dynamic-int8}]", "technique.engine=onnxruntime"],
        "step 'onnx-dynamic-int8' takes onnx, but the step before it, 'random-weights', gives checkpoint.",
    ),
    "engine of another format": (["technique.engine=onnxruntime"], "the engine takes onnx, but the last step"),
    "engine": (["technique.engine=onnxruntme"], "there is no engine 'onnxruntme'. Did you mean 'onnxruntime'?"),
    "step": (["technique.steps=[{step: onnx-exprt}]"], "Did you mean 'onnx-export'?"),
    "labels wanted": (["technique=heads-50-importance"], "task 'alice' has no labels"),
    "layers that the model has not": (
        ["technique.steps=[{step: layer-pruning, keep: 3}]"],
        "model 'tiny' with technique 'torch-eager': step 'layer-pruning': keep is 3, but the model has 2 layers.",
    ),
    "layers that an earlier step took": (
        ["technique.steps=[{step: layer-pruning, keep: 1}, {step: layer-pruning, keep: [0, 1]}]"],
        "step 'layer-pruning': keep names layer 1, but the model has 0 to 0.",
    ),
    "tokens that the teacher does not know": (
        ["technique.steps=[{step: vocabulary-trimming}, {step: distil}]", "task=tweets"],
        "which changes the tokenizer, the step 'distil' cannot give student and teacher the same tokens.",
    ),
    "a teacher of nobody": (
        ["+model@technique.teacher=tiny"],
        "technique 'torch-eager' has a teacher, but no step that learns from one.",
    ),
    "rank": (["technique=svd-192"], "step 'low-rank': rank is 192, but must be at most 32, the model's hidden width."),
    "architecture": (
        ["technique=heads-50", "model.shape.model_type=mpnet"],
        "step 'head-pruning' cannot remove heads of mpnet: all layers share on",
    ),
    "shape": (["model.shape.hidden_size=30"], "hidden_size 30 is not a multiple of num_attention_heads 4."),
    "positions": (
        ["workload.max_length=600"],
        "workload.max_length is 600, but model 'tiny' takes at most 512 tokens: by its positions",
    ),
    "load": (["load=opened"], "There is no load 'opened' (conf/load/opened.yaml). Did you mean 'open'?"),
    "kind of load": (["load.kind=half"], "expected one of [closed, open]"),
    "percentile": (["load=open", "load.slo.percentile=100"], "load.slo.percentile is 100, but must be above 0 and"),
    "objective": (["load=open", "load.slo.milliseconds=0"], "load.slo.milliseconds is 0, but must be above 0."),
    "no workers": (["load=open", "load.workers=0"], "load.workers is 0, but must be at least 1."),
    "workers": (["load=open", "load.workers=999"], "so the service needs 999 physical cores, and the load generator"),
    "queue": (["load=open", "load.queue=5000"], "load.queue is 5000, but must be at most 4096"),
    "waiting for a batch": (
        ["load=open", "load.batching.max_wait_milliseconds=60"],
        "but load.slo.milliseconds is 50: a request that waits so long for others is late.",
    ),
    "retry": (["hydra.sweeper.retry=all"], "the only value is 'failed'"),
}


@pytest.mark.parametrize("case", CASES)
def test_is_refused(case: str, refused: Refused) -> None:
    arguments, message = CASES[case]
    assert message in refused(*arguments)


def test_a_command_ends_with_code_2_and_no_traceback() -> None:
    command = [sys.executable, "-m", "runner", "-m", "technique=onxx"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Did you mean 'onnx'?" in done.stderr


def test_docker_without_an_engine(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert "isolation is docker, but no Docker engine answers. Start one" in refused("isolation=docker")


def test_missing_model_folder(refused: Refused, tmp_path: Path) -> None:
    said = refused("model=folder", f"model.path={tmp_path}/none")
    assert "model.path" in said
    assert f"{tmp_path}/none" in said


@pytest.mark.parametrize("layers", [2, 6])
def test_a_local_model_s_own_config_is_followed(layers: int, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f'{{"model_type": "bert", "num_hidden_layers": {layers}}}')
    write_files(tmp_path, "model.safetensors")
    said = refused("model=folder", f"model.path={tmp_path}", "technique.steps=[{step: layer-pruning, keep: 7}]")
    assert (
        f"model 'folder' with technique 'torch-eager': step 'layer-pruning': keep is 7, but the model has {layers}"
        in said
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        ({"id2label": {"1": "no", "2": "yes"}}, [], "config.json: the keys of id2label are 1, 2, but must number"),
        ({"id2label": {"0": "score"}}, ["task.label_column=null"], "its head has one output ('score')"),
        ({"id2label": {"0": "joy", "1": "anger"}}, [], "the model's labels are joy, anger, but the task's are no, yes"),
        ({}, [], "To match them would be a guess."),
        ({"problem_type": "multi_label_classification"}, [], "a text has any number of labels, but task.kind is"),
        (
            {"architectures": ["BertForMaskedLM"]},
            [],
            "hold no classification head: they are those of a BertForMaskedLM",
        ),
        ({"quantization_config": {"quant_method": "awq"}}, [], "the weights are quantized already (awq)"),
        ({"id2label": {"0": "no", "1": "yes"}}, ["task.labels=[no]"], "texts.csv also has 'yes' in column 'label'"),
    ],
)
def test_a_head_that_does_not_fit_the_task(
    config: dict[str, object], arguments: list[str], message: str, refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"} | config))
    write_files(tmp_path, "model.safetensors", "tokenizer.json")
    (tmp_path / "texts.csv").write_text("text,label,split\n" + "a,yes,test\nb,no,test\n" * 9)
    task = ["task=file", f"task.path={tmp_path}/texts.csv"]
    assert message in refused("model=folder", f"model.path={tmp_path}", *task, *arguments)


def test_a_pickle_without_safetensors(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    said = refused("model=folder", f"model.path={tmp_path}")
    assert "pickle" in said
    assert "safetensors" in said


def test_a_labels_file_without_its_columns(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("sentence,mood\nhello,1\n")
    said = refused("task=file", f"task.path={tmp_path}/texts.csv")
    assert "texts.csv has no column 'text'" in said
    assert "mood, sentence" in said


def test_pairs_for_a_technique_that_cannot_tell_them_apart(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text,other,label,split\na,b,x,train\nc,d,y,validation\ne,f,x,test\n")
    said = refused("task=file", f"task.path={tmp_path}/texts.csv", "task.text_pair_column=other", *CASCADE)
    assert "task 'file' has pairs of texts, but technique 'torch-eager' has the step 'cascade'" in said


def test_a_technique_for_another_kind_of_task(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("text,label,split\na,x|y,train\nc,y,validation\ne,,test\n")
    said = refused("task=file", f"task.path={tmp_path}/texts.csv", "task.kind=multi-label", *CASCADE)
    assert "has the step 'cascade', which is for single-label." in said


@pytest.mark.parametrize(
    ("technique", "step"),
    [
        ("onnx-first-token", "onnx-export"),
        ("onnx-static-int8", "onnx-static-int8"),
        ("heads-50-importance", "head-pruning"),
        ("layers-half-tuned", "fine-tune"),
        ("distil-half", "distil"),
        ("vocab-trimmed", "vocabulary-trimming"),
    ],
)
def test_a_technique_that_takes_whole_texts(technique: str, step: str, refused: Refused, tmp_path: Path) -> None:
    rows = [{"text": ["a", "b"], "label": ["O", tag], "split": "test"} for tag in ("O", "B-PER")]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = refused("task=file", f"task.path={tmp_path}/texts.jsonl", "task.kind=tokens", f"technique={technique}")
    assert f"is of kind tokens, but technique '{technique}' has the step '{step}', which is for single-label" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task.kind=embedding"], "task.kind of 'alice' is embedding: vectors are compared with the baseline's"),
        (
            ["task.kind=embedding", "task.label_column=null", "technique=heads-50-importance"],
            "task 'alice' has no labels",
        ),
        (["task.kind=multi-label"], "task.kind is 'multi-label', but the texts of task 'alice' are single-label."),
        (
            ["task.kind=words"],
            "task.kind of 'alice' is 'words'. Allowed: embedding, multi-label, rerank, retrieval, similarity, ",
        ),
        (["task.kind=similarity"], "is similarity, but task.text_pair_column is null. Name the columns of the second"),
        (
            ["task.kind=similarity", "task.text_pair_column=other", "task.label_column=null"],
            "is similarity, but task.label_column is null.",
        ),
        (["task.kind=similarity", "task.text_pair_column=other"], "task.source=alice gives no judgements"),
        (["technique.vectors=int4"], "is 'int4'. Did you mean 'int8'? Allowed: binary, float32, int8."),
        (["technique.vectors=int8"], "is int8, but task 'alice' is of kind single-label, which stores no vectors."),
        (["task.kind=retrieval"], "task.source=alice gives no judgements. Take task.source=collection"),
    ],
)
def test_a_kind_of_task_that_does_not_fit(arguments: list[str], message: str, refused: Refused) -> None:
    assert message in refused(*arguments)


@pytest.mark.parametrize(("head", "kind"), [("load", "embedding"), ("mean", "single-label")])
def test_a_head_that_does_not_fit_the_kind(head: str, kind: str, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "num_hidden_layers": 2}')
    write_files(tmp_path, "model.safetensors")
    steps = f"model.steps=[{{step: import-checkpoint, head: {head}}}]"
    said = refused("model=folder", f"model.path={tmp_path}", steps, f"task.kind={kind}", "task.label_column=null")
    assert "Take another head: load or new for labels, mean or first for vectors." in said


def test_a_hub_data_set_without_a_pin(refused: Refused) -> None:
    assert "task.revision is 'main', but must be a commit" in refused(
        "task=hub", "task.hub_id=owner/name", "task.revision=main"
    )


def test_a_hub_model_without_a_network(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert "model.weights=random" in refused("model=roberta-base", "task=tweets")


def test_an_output_folder_that_cannot_be_written(refused: Refused) -> None:
    said = refused(out=Path("/proc/pinbox"))
    assert "The output folder /proc/pinbox (hydra.sweep.dir) cannot be written" in said


def test_a_grid_that_excludes_everything(refused: Refused) -> None:
    said = refused("grid.exclude=[{threads: 1}]")
    assert "every combination of grid.union matches a rule of grid.exclude" in said


def test_a_grid_with_a_list_that_hydra_would_misread(refused: Refused) -> None:
    said = refused("grid.union=[{technique: [[onnx, torch-eager]]}]")
    assert "grid.union[0].technique: ['onnx', 'torch-eager'] is not one value" in said


def test_a_bad_key_within_a_grid_is_named_with_its_place(refused: Refused) -> None:
    said = refused("grid.union=[{technique: onnx}, {technique: onnx, thread: 2}]")
    assert "grid.union[1]: there is no key 'thread'. Did you mean 'threads'?" in said


def test_an_old_sweep_that_cannot_be_moved_aside(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Path, "rename", rename)
    assert "FRESH=1 cannot move the old sweep" in refused("hydra.sweeper.fresh=true")


def test_hydra_s_own_options_still_work() -> None:
    command = [sys.executable, "-m", "runner", "grid=seed", "model=roberta-base", "--cfg", "job"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert done.returncode == 0, done.stderr
    assert "weights: random" in done.stdout
    assert "name: padded-512" in done.stdout


@pytest.mark.docker
@pytest.mark.parametrize("technique", ["aot-inductor", "torch-compile"])
def test_what_needs_a_compiler_in_docker(technique: str, refused: Refused) -> None:
    assert "needs a C++ compiler, but the image has none" in refused(f"technique={technique}", "isolation=docker")


@pytest.mark.docker
def test_what_the_image_does_not_have(refused: Refused) -> None:
    said = refused("technique=gguf-q8", "isolation=docker")
    assert "engine 'llamacpp', which needs the package xllamacpp, but the image does not have it" in said
    assert "use isolation=process" in said


@pytest.mark.parametrize(
    ("technique", "what"), [("aot-inductor", "step 'aot-inductor'"), ("torch-compile", "engine 'torch_compile'")]
)
def test_what_needs_a_compiler_without_one(
    technique: str, what: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    said = refused(f"technique={technique}", "isolation=process")
    assert f"technique '{technique}' has the {what}, which needs a C++ compiler" in said
    assert "there is no g++ on this machine" in said


@pytest.mark.parametrize(
    ("technique", "missing", "what"),
    [
        ("openvino", "openvino", "engine 'openvino'"),
        ("openvino-int8", "nncf", "step 'openvino-static-int8'"),
        ("gguf-q8", "gguf", "step 'gguf-export'"),
    ],
)
def test_what_needs_a_package_that_this_machine_lacks(
    technique: str, missing: str, what: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = importlib.util.find_spec
    monkeypatch.setattr("runner.sweep.validation.find_spec", lambda name: None if name == missing else here(name))
    said = refused(f"technique={technique}", "isolation=process")
    assert f"technique '{technique}' has the {what}, which needs the package {missing}" in said
    assert f"this machine ({platform.machine()}, Python {platform.python_version()})" in said


def test_an_open_load_without_a_load_generator(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sweep.validation.find_spec", lambda name: None)
    monkeypatch.setattr("runner.isolation.choose.physical_cores", lambda: [0, 1])
    said = refused("load=open", "isolation=process")
    assert "load is 'open', which needs the package mlcommons-loadgen, and it is not installed" in said
    assert f"this machine ({platform.machine()}, Python {platform.python_version()};" in said


def test_a_model_without_a_tokenizer(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    write_files(tmp_path, "model.safetensors", "spm.model")
    said = refused("model=folder", f"model.path={tmp_path}")
    assert "the tokenizer is spm.model alone" in said


def test_a_length_beyond_the_tokenizers(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 32}')
    write_files(tmp_path, "model.safetensors", "vocab.txt")
    said = refused("model=folder", f"model.path={tmp_path}", "workload.max_length=33")
    assert "workload.max_length is 33, but model 'folder' takes at most 32 tokens" in said
