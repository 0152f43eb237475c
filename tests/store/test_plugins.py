"""The user's own code is found by name in two places only, and copied completely. Errors name their line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runner.config.schema import TechniqueConfig
from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.store import plugins
from runner.store.artifacts import Store
from runner.sweep.validation import _engine_format
from runner.tasks.source import task_identity
from runner.techniques.chain import make_step
from runner.techniques.step import plugin_of

STEP = """
from dataclasses import dataclass
from runner.techniques.step import Step, step

@step("{name}")
@dataclass
class Shout(Step):
    takes = gives = "checkpoint"
    loudness: int = 1

    def run(self, inputs, target):
        return {{}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for kind in ("steps", "engines", "tasks", "metrics"):
        (tmp_path / "plugins" / kind).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package whose entry points name a step and an engine."""
    site = tmp_path / "site"
    (site / "toybox" / "deep").mkdir(parents=True)
    (site / "toybox-1.2.dist-info").mkdir()
    (site / "toybox" / "__init__.py").write_text("import toybox.helper\n")
    (site / "toybox" / "helper.py").write_text("LOUD = 3\n")
    (site / "toybox" / "deep" / "__init__.py").write_text("")
    (site / "toybox" / "deep" / "murmur.py").write_text(STEP.format(name="murmur"))
    (site / "toybox" / "engine.py").write_text('raise RuntimeError("not to be imported")\nFORMAT = "onnx"\n')
    (site / "toybox-1.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toybox\nVersion: 1.2\n")
    (site / "toybox-1.2.dist-info" / "entry_points.txt").write_text(
        "[pinbox.steps]\nmurmur = toybox.deep.murmur\n[pinbox.engines]\ntoy = toybox.engine\nlost = no_such_module\n"
    )
    monkeypatch.syspath_prepend(str(site))
    return site


def imported_elsewhere(stored: plugins.StoredPlugin) -> str:
    """Import a stored plugin as a box does, and return the file that it comes from."""
    code = f"import importlib; print(importlib.import_module({stored.module!r}).__file__)"
    path = f"{Path(__file__).parents[2]}:{stored.path}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=stored.path.parent,
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_step_beside_conf_is_found_by_its_name(folder: Path) -> None:
    (folder / "plugins" / "steps" / "shout_loud.py").write_text(STEP.format(name="shout-loud"))
    made = make_step({"step": "shout-loud", "loudness": 2}, "here")
    assert made.name == "shout-loud"
    assert vars(made) == {"loudness": 2}
    plugin = plugin_of("shout-loud")
    assert plugin is not None
    assert plugin.origin == "plugins/steps/shout_loud.py"
    stored = plugins.store_plugin(plugin, Store(folder / "store"))
    assert str(stored) == f"steps/shout-loud@{plugin.sha256()[:12]}"
    assert imported_elsewhere(stored) == f"{stored.path}/plugins/steps/shout_loud.py"
    with pytest.raises(UserError, match=r"step 'shout-loud' has no key 'loudnes'. Did you mean 'loudness'"):
        make_step({"step": "shout-loud", "loudnes": 2}, "here")


def test_a_folder_is_one_plugin_with_all_its_files(folder: Path) -> None:
    room = folder / "plugins" / "steps" / "shout"
    room.mkdir()
    (room / "__init__.py").write_text("from . import words\n" + STEP.format(name="shout"))
    (room / "words.py").write_text("WORDS = 1\n")
    make_step({"step": "shout"}, "here")
    plugin = plugin_of("shout")
    assert plugin is not None
    before = plugin.sha256()
    (room / "words.py").write_text("WORDS = 2\n")
    assert plugin.sha256() != before
    stored = plugins.store_plugin(plugin, Store(folder / "store"))
    (room / "words.py").write_text("WORDS = 3\n")
    assert (stored.path / "plugins" / "steps" / "shout" / "words.py").read_text() == "WORDS = 2\n"
    assert imported_elsewhere(stored) == f"{stored.path}/plugins/steps/shout/__init__.py"


def test_a_step_of_an_installed_package(package: Path, folder: Path) -> None:
    assert make_step({"step": "murmur"}, "here").name == "murmur"
    plugin = plugin_of("murmur")
    assert plugin is not None
    assert plugin.origin == "toybox 1.2"
    stored = plugins.store_plugin(plugin, Store(folder / "store"))
    assert stored.module == "toybox.deep.murmur"
    assert imported_elsewhere(stored) == f"{stored.path}/toybox/deep/murmur.py"
    assert (stored.path / "toybox" / "helper.py").exists()


def test_an_engine_s_format_is_read_without_importing_it(package: Path, folder: Path) -> None:
    (folder / "plugins" / "engines" / "mute.py").write_text('import no_such_runtime\nFORMAT = "torchscript"\n')
    (folder / "plugins" / "engines" / "silent.py").write_text("class Engine: ...\n")
    assert _engine_format(TechniqueConfig(name="t", engine="toy")) == "onnx"
    assert _engine_format(TechniqueConfig(name="t", engine="mute")) == "torchscript"
    with pytest.raises(UserError, match=r"plugins/engines/silent.py does not say which format it loads"):
        _engine_format(TechniqueConfig(name="t", engine="silent"))
    with pytest.raises(UserError, match=r"there is no engine 'mtue'. Did you mean 'mute'"):
        _engine_format(TechniqueConfig(name="t", engine="mtue"))
    with pytest.raises(UserError, match=r"toybox 1.2 names the module no_such_module for 'lost'"):
        _engine_format(TechniqueConfig(name="t", engine="lost"))


@pytest.mark.parametrize("name", ["../steps/shout", "/etc/passwd", "a.b", "", "shout\n", "-x"])
def test_no_name_leads_out_of_the_folder(name: str, folder: Path) -> None:
    (folder / "plugins" / "steps" / "shout.py").write_text(STEP.format(name="shout"))
    assert plugins.find("engines", name) is None


def test_nothing_is_imported_that_no_job_names(folder: Path) -> None:
    (folder / "plugins" / "steps" / "bomb.py").write_text("raise SystemExit(7)\n")
    (folder / "os.py").write_text("raise SystemExit(7)\n")
    with pytest.raises(UserError, match=r"there is no step 'bom'. Did you mean 'bomb'"):
        make_step({"step": "bom"}, "here")
    with pytest.raises(UserError, match="there is no step 'os'"):
        make_step({"step": "os"}, "here")


def test_a_name_of_pinbox_s_own_is_refused(folder: Path) -> None:
    (folder / "plugins" / "steps" / "onnx_export.py").write_text(STEP.format(name="onnx-export"))
    with pytest.raises(UserError, match=r"'onnx-export' exists twice among the steps: plugins/steps/onnx_export.py"):
        make_step({"step": "onnx-export"}, "here")
    (folder / "plugins" / "steps" / "sly.py").write_text(STEP.format(name="fine-tune"))
    with pytest.raises(UserError, match="Pinbox has a step 'fine-tune' already"):
        make_step({"step": "sly"}, "here")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import runner\nfoo(\n", r"plugins/steps/slip.py cannot be imported: SyntaxError: .* \(line 2\)"),
        ("import runner\n\n1 / 0\n", r"cannot be imported: ZeroDivisionError: division by zero \(line 3\)"),
        ("import no_such\n", r"cannot be imported: ModuleNotFoundError: No module named 'no_such' \(line 1\)"),
        (STEP.format(name="other"), "plugins/steps/slip.py has no step 'slip'"),
    ],
)
def test_a_slip_in_the_code_names_file_and_line(code: str, message: str, folder: Path) -> None:
    (folder / "plugins" / "steps" / "slip.py").write_text(code)
    with pytest.raises(UserError, match=message):
        make_step({"step": "slip"}, "here")


def test_a_task_s_code_is_part_of_what_it_is(folder: Path) -> None:
    code = "def load(task, downloads): ...\ndef identity(task): return {'a': 1}\n"
    file = folder / "plugins" / "tasks" / "mine.py"
    file.write_text(code)
    task = TaskConfig(name="mine", source="mine")
    before = task_identity(task)
    file.write_text(code + "# changed\n")
    assert task_identity(task) | {"code": before["code"]} == before
    assert task_identity(task) != before
    file.write_text("def load(task, downloads): ...\n")
    sys.modules.pop("plugins.tasks.mine")
    with pytest.raises(UserError, match=r"plugins/tasks/mine.py has no function 'identity'"):
        task_identity(task)
