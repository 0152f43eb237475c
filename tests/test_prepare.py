"""What a job's steps are given: a student learns from the teacher that its YAML names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from runner.config import Config, register
from runner.isolation import Box, BoxEnd, BoxOrder
from runner.prepare import PrepareError, prepare

CONF = Path(__file__).parents[1] / "conf"
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
