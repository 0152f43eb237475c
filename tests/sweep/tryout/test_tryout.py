"""The YAML that is left behind: it composes, it says what was found out, and it is never overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from onnx import helper

from runner.config.paths import CONF
from runner.config.schema import Config
from runner.errors import UserError
from runner.sweep.tryout.guess import Stated
from runner.sweep.tryout.tryout import Asked, make_tryout, name_of
from tests.sweep.tryout.conftest import write_model

LABELS = ("negative", "positive")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a model and a file of texts, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "critic", *LABELS)
    write_texts(tmp_path / "films.csv")
    return tmp_path


def write_texts(path: Path) -> Path:
    words = [f"word{number}" for number in range(400)]
    rows = [f"{' '.join(words[number % 390 :: 50])} {number},{LABELS[number % 2]}" for number in range(60)]
    path.write_text("\n".join(["review,verdict", *rows]) + "\n")
    return path


def write_graph(path: Path) -> None:
    """Write a graph with a classifier's inputs and outputs, which nothing runs here."""
    inputs = [helper.make_tensor_value_info(name, 7, ["batch", "length"]) for name in ("input_ids", "attention_mask")]
    logits = helper.make_tensor_value_info("logits", 1, ["batch", 2])
    nodes = [helper.make_node("Cast", ["input_ids"], ["logits"], to=1)]
    onnx.save(helper.make_model(helper.make_graph(nodes, "critic", inputs, [logits])), path)


def asked(**more: object) -> Asked:
    values: dict[str, object] = {"model": "critic", "texts": Path("films.csv"), "techniques": ["onnx"], "threads": [1]}
    return Asked(**values | more)  # type: ignore[arg-type]


def composed(conf: Path) -> Config:
    """Return the job that the grid starts from, composed as Hydra does with --config-dir."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_object(compose("config", [f"hydra.searchpath=[file://{conf}]", "grid=try"]))
    assert isinstance(config, Config)
    return config


def test_the_yaml_says_what_was_found_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_tryout(asked())
    config = composed(here / "outputs/try-critic-films/conf")
    assert (config.model.name, config.model.path) == ("critic", str(here / "critic"))
    assert (config.task.path, config.task.text_column, config.task.label_column) == (
        *(str(here / "films.csv"), "review", "verdict"),
    )
    assert config.grid.union == [{"technique": ["torch-eager", "onnx"], "threads": [1]}]
    assert config.workload.max_length == 128
    said = " ".join(capsys.readouterr().err.split())
    assert "films.csv, 60 rows; column 'review' (otherwise: --text-column)." in said
    assert "Labels: column 'verdict' (negative, positive) (otherwise: --label-column, --labels)." in said
    assert made.command == (
        "pinbox sweep grid=try --config-dir outputs/try-critic-films/conf --out outputs/try-critic-films/sweep"
    )


def test_without_texts_it_has_texts_of_its_own_and_no_labels(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tryout(asked(texts=None))
    task = composed(here / "outputs/try-critic-sample-texts/conf").task
    assert (task.source, task.label_column) == ("alice", None)
    assert "Accuracy is not known" in " ".join(capsys.readouterr().err.split())


def test_the_same_command_keeps_what_was_edited(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tryout(asked())
    grid = here / "outputs/try-critic-films/conf/grid/try.yaml"
    grid.write_text(grid.read_text().replace("- onnx\n", "- torchscript\n"))
    edited = grid.read_text()
    make_tryout(asked(budget_seconds=1200))
    assert grid.read_text() == edited
    assert "This command was given before" in capsys.readouterr().err


def test_another_command_does_not_overwrite(here: Path) -> None:
    make_tryout(asked())
    with pytest.raises(UserError, match="was not written for this model, these texts and these options"):
        make_tryout(asked(threads=[]))
    make_tryout(asked(threads=[], out=here / "other"))
    assert (here / "other/conf/grid/try.yaml").exists()


def test_nothing_is_written_if_the_two_do_not_fit(here: Path) -> None:
    (here / "films.csv").write_text("review,verdict\na film to see,good\nanother film,bad\n")
    with pytest.raises(UserError, match="the model has no output for bad, good"):
        make_tryout(asked(stated=Stated(label="verdict")))
    assert not (here / "outputs/try-critic-films").exists()


def test_a_technique_that_was_asked_for_must_fit(here: Path) -> None:
    write_model(here / "critic", *LABELS, model_type="longformer")
    with pytest.raises(UserError, match=r"--techniques: .*'longformer'"):
        make_tryout(asked())


@pytest.mark.parametrize(
    ("text", "group", "name"),
    [
        ("/data/My model", "model", "My-model"),
        ("tiny", "model", "my-tiny"),
        ("owner/name.v2", "model", "name-v2"),
        ("7B", "model", "model-7B"),
        ("reviews.2024.CSV.gz", "task", "reviews-2024"),
        ("null.csv", "task", "my-null"),
        ("…", "task", "task"),
    ],
)
def test_names_are_plain_and_none_of_pinbox_s_own(text: str, group: str, name: str) -> None:
    assert name_of(text, group) == name


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nowhere", "There is no folder nowhere. Name the folder that save_pretrained of transformers wrote"),
        ("films.csv", "films.csv is a file. Name the folder that holds"),
        ("bare/model.onnx", "bare/model.onnx has no config.json and no tokenizer beside it"),
        (".", "has no config.json"),
    ],
)
def test_what_is_no_model_is_refused(model: str, said: str, here: Path) -> None:
    (here / "bare/inner").mkdir(parents=True)
    (here / "bare/model.onnx").touch()
    with pytest.raises(UserError, match=said):
        make_tryout(asked(model=model))


def test_a_model_that_is_there_only_as_onnx_gets_techniques_of_its_own(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "critic/model.safetensors").unlink()
    (here / "critic/onnx").mkdir()
    write_graph(here / "critic/onnx/model.onnx")
    for model in ("critic", "critic/onnx/model.onnx"):
        out = here / model.replace("/", "-")
        make_tryout(asked(model=model, techniques=[], out=out))
        config = composed(out / "conf")
        assert config.model.steps == [{"step": "import-onnx", "file": "onnx/model.onnx"}]
        assert (config.model.name, config.grid.baseline) == ("critic", "onnx-as-is")
        assert config.grid.union[0]["control_texts"] == 0
        assert [name.partition("-int8")[0] for name in config.grid.union[0]["technique"]] == ["onnx-as-is"] * 2
    assert "BertForSequenceClassification in onnx/model.onnx" in capsys.readouterr().err


def test_an_encoder_that_is_there_only_as_onnx_is_pooled(here: Path) -> None:
    (here / "critic/model.safetensors").unlink()
    described = json.loads((here / "critic/config.json").read_text()) | {"architectures": ["BertModel"]}
    (here / "critic/config.json").write_text(json.dumps(described))
    write_graph(here / "critic/model.onnx")
    make_tryout(asked(techniques=[], out=here / "out"))
    config = composed(here / "out/conf")
    assert config.task.kind == "embedding"
    assert config.model.steps == [{"step": "import-onnx", "file": "model.onnx", "head": "mean"}]


def test_of_several_graphs_one_must_be_named(here: Path) -> None:
    (here / "critic/model.safetensors").unlink()
    for name in ("model.onnx", "model_int8.onnx"):
        write_graph(here / "critic" / name)
    with pytest.raises(UserError, match=r"holds several graphs: model.onnx, model_int8.onnx. Name one of these files"):
        make_tryout(asked())


def test_a_model_of_the_hub_is_pinned_to_its_newest_commit(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.sweep.tryout.model.newest_commit", lambda hub_id: "a" * 40)
    monkeypatch.setattr("runner.sweep.tryout.model.fetch_model", lambda model, downloads: here / "critic")
    monkeypatch.setattr("runner.sweep.validation.fetch_model", lambda model, downloads: here / "critic")
    make_tryout(asked(model="owner/critic"))
    source = composed(here / "outputs/try-critic-films/conf").model.source
    assert (source.hub_id, source.revision) == ("owner/critic", "a" * 40)
