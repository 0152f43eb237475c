"""What a job's steps are given: a student learns from the teacher that its YAML names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import runner.sweep.artifact_builder
from runner.config.schema import Config, register
from runner.errors import storage_error
from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.isolation.docker import DockerBox
from runner.sweep.artifact_builder import PrepareError
from runner.sweep.prepare import prepare

CONF = Path(__file__).parents[2] / "conf"
DISTIL = "technique.steps=[{step: layer-pruning, keep: 1}, {step: distil}]"
OWN_TEACHER = ["+model@technique.teacher=tiny", "technique.teacher.shape.num_hidden_layers=3"]


class NotingBox(Box):
    """Makes checkpoints that know only their depth, up to the step distil, whose teacher's depth it notes."""

    kind = "noting"
    image_id = None

    def __init__(self) -> None:
        self.teacher_layers: int | None = None

    def run(self, order: BoxOrder) -> BoxEnd:
        if order.request["step"] == "distil":
            self.teacher_layers = json.loads((order.inputs["teacher"] / "config.json").read_text())["layers"]
            return BoxEnd(1, False, False, "that is all")
        config = order.request["config"]
        (order.output / "files").mkdir()
        layers = config["keep"] if "keep" in config else config["shape"]["num_hidden_layers"]
        (order.output / "files" / "config.json").write_text(json.dumps({"layers": layers}))
        (order.output / "notes.json").write_text("{}")
        return BoxEnd(0, False, False, "")

    def memory_limit(self, memory_bytes: int) -> int | None:
        return memory_bytes


@pytest.mark.parametrize(("overrides", "layers"), [([], 2), (OWN_TEACHER, 3)])
def test_a_student_learns_from_the_teacher_of_its_technique(overrides: list[str], layers: int, tmp_path: Path) -> None:
    texts = tmp_path / "texts.csv"
    texts.write_text("text,label,split\ngood,a,train\nbad,b,train\nfair,a,validation\npoor,b,test\n")
    settings = ["model=tiny", "task=file", f"task.path={texts}", f"store={tmp_path}/store", DISTIL, *overrides]
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = OmegaConf.to_object(compose("config", settings))
    assert isinstance(cfg, Config)
    box = NotingBox()
    with pytest.raises(PrepareError, match="that is all"):
        prepare(cfg, box, [0], print)
    assert box.teacher_layers == layers


class BadBox(NotingBox):
    """Ends every step in the same way."""

    def __init__(self, end: BoxEnd) -> None:
        super().__init__()
        self.end = end
        self.seconds = 0.0

    def run(self, order: BoxOrder) -> BoxEnd:
        self.seconds = order.timeout_seconds
        return self.end


def _smallest(tmp_path: Path, *overrides: str) -> Config:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = OmegaConf.to_object(compose("config", ["grid=smoke", f"store={tmp_path}/store", *overrides]))
    assert isinstance(cfg, Config)
    return cfg


def test_a_step_that_hangs_is_killed_and_names_the_key_of_its_limit(tmp_path: Path) -> None:
    box = BadBox(BoxEnd(137, False, True, ""))
    with pytest.raises(PrepareError, match=r"did not end in time and was killed \(prepare_timeout_seconds\)"):
        prepare(_smallest(tmp_path, "prepare_timeout_seconds=7"), box, [0], print)
    assert box.seconds == 7
    assert not list(tmp_path.glob("store/work/*"))


@pytest.mark.docker
@pytest.mark.slow
def test_a_step_that_wants_all_memory_is_killed_and_leaves_some_to_the_machine(
    docker_box: DockerBox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Afterwards the image's files are in the page cache. Below a small limit, reading them could last for minutes.
    prepare(_smallest(tmp_path / "unlimited"), docker_box, [0], print)
    monkeypatch.setattr(runner.sweep.artifact_builder, "total_memory_bytes", lambda: 100 * 2**20)
    with pytest.raises(PrepareError, match=r"needed more memory than the box has .* \(90% of this machine's\)"):
        prepare(_smallest(tmp_path), docker_box, [0], print)


@pytest.mark.parametrize(
    ("exit_code", "free_bytes", "raised"), [(1, 4096, OSError), (0, 0, OSError), (1, 1 << 30, PrepareError)]
)
def test_a_step_without_room_on_the_disk_is_not_at_fault_but_one_without_room_in_its_box_is(
    exit_code: int, free_bytes: int, raised: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free_bytes))
    box = BadBox(BoxEnd(exit_code, False, False, "OSError: [Errno 28] No space left on device: 'model.onnx'"))
    with pytest.raises(raised, match="No space left") as full:
        prepare(_smallest(tmp_path), box, [0], print)
    assert bool(storage_error(full.value)) == (raised is OSError)


class RemarkingBox(NotingBox):
    """Ends every step well with a remark, up to the predictions, which fail."""

    def run(self, order: BoxOrder) -> BoxEnd:
        if order.module == "runner.trial.evaluate":
            return BoxEnd(1, False, False, "that is all")
        (order.output / "files").mkdir()
        for name in ("config.json", "tokenizer.json"):
            (order.output / "files" / name).write_text("{}")
        (order.output / "notes.json").write_text(json.dumps({"notes": {"remarks": ["2 of 6 words have no token."]}}))
        return BoxEnd(0, False, False, "")


def test_a_remark_on_the_tokens_is_printed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for workload in ("online", "batch-8"):
        with pytest.raises(PrepareError, match="that is all"):
            prepare(_smallest(tmp_path, "model=tiny", f"workload={workload}"), RemarkingBox(), [0], print)
    assert capsys.readouterr().err.count("on task 'alice': 2 of 6 words have no token.") == 1
