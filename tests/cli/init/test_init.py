"""The example of `pinbox init`: complete, and found from its own folder before Pinbox's configs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from runner.__main__ import main
from runner.cli.init.write import write_example
from runner.config.paths import CONF, choices, own_conf
from runner.errors import UserError

BROKEN = {
    "a key": ("model", "shape:", "shpe:", "conf/model/mine.yaml: there is no key 'model.shpe'. Did you mean 'shape'?"),
    "a value": (
        "model",
        "weights: random",
        "weights: rndom",
        "conf/model/mine.yaml: model.weights: Invalid value 'rndom'",
    ),
    "a size": ("model", "size: 32", "size: 30", "conf/model/mine.yaml: model 'mine': step 'random-weights'"),
    "a step": ("technique", "onnx-export", "onnx-exprt", "conf/technique/mine.yaml: technique 'mine': steps[1]"),
    "an engine": (
        "technique",
        "engine: onnx",
        "engine: onx",
        "conf/technique/mine.yaml: technique 'mine': there is no",
    ),
    "a path": ("task", "mine.csv", "mien.csv", "conf/task/mine.yaml: task.path: cannot read mien.csv"),
    "a column": ("task", "column: text", "column: txt", "conf/task/mine.yaml: task.text_column"),
    "not closed": ("technique", "0.25}", "0.25", "conf/technique/mine.yaml, line"),
    "a tab": ("model", "  model_type", "\tmodel_type", "conf/model/mine.yaml, line 6, column 1: this is not YAML"),
    "not text": ("grid", "# What", "\udcff What", "conf/grid/mine.yaml is not UTF-8 text."),
    "a list": ("grid", "grid:\n  union:", "grid:", "conf/grid/mine.yaml: Merge error"),
    "a grid's key": ("grid", "- technique: [torch", "- tecnique: [torch", "conf/grid/mine.yaml: grid.union[0]"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sweep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the example's grid, which must be refused; return what it said."""
    monkeypatch.setattr("sys.argv", ["pinbox", "-m", "grid=mine", "isolation=process"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert not Path("outputs/mine").exists()
    return " ".join(capsys.readouterr().err.split())


def test_it_is_found_beside_pinbox_s_own(folder: Path) -> None:
    assert own_conf() == folder / "conf"
    assert {"mine", "onnx"} <= set(choices("technique"))
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", ["grid=mine", "technique=mine"])
    GlobalHydra.instance().clear()
    assert config.model.name == config.task.name == config.technique.name == "mine"
    assert config.measure.name == "smoke"


def test_another_program_s_search_path_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.yaml").write_text("a: 1\n")
    with initialize_config_dir(str(tmp_path / "theirs"), version_base="1.3"):
        config = compose("config", [], return_hydra_config=True)
    GlobalHydra.instance().clear()
    assert [path.provider for path in config.hydra.runtime.config_sources] == ["hydra", "main", "schema"]


@pytest.mark.slow
@pytest.mark.parametrize(("group", "before", "after", "message"), BROKEN.values(), ids=BROKEN)
def test_a_slip_names_the_file(
    group: str,
    before: str,
    after: str,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = folder / "conf" / group / "mine.yaml"
    text = file.read_text()
    assert before in text
    file.write_bytes(text.replace(before, after).encode(errors="surrogateescape"))
    assert message in sweep(monkeypatch, capsys)


def test_a_config_in_the_place_of_pinbox_s_own_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "conf" / "config.yaml").write_text("defaults: [model: bert]\n")
    assert "conf/config.yaml in this folder would replace Pinbox's own" in sweep(monkeypatch, capsys)


def test_nothing_is_written_over(folder: Path) -> None:
    (folder / "mine.csv").write_text("kept")
    (folder / "conf" / "grid" / "mine.yaml").unlink()
    with pytest.raises(UserError, match="is there already"):
        write_example(folder)
    assert (folder / "mine.csv").read_text() == "kept"
    assert not (folder / "conf" / "grid" / "mine.yaml").exists()
