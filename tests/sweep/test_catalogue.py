"""The catalogue: every technique is in its grid, and every technique is a chain that joins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from runner.config.schema import PRECISIONS
from runner.engines.engine import FORMATS
from runner.techniques.chain import check_chain, make_chain

CONF = Path(__file__).parents[2] / "conf"
NEED_A_COMPILER = ["aot-inductor", "torch-compile"]  # which the image has not
FOR_VECTORS = ["gguf-q4", "gguf-q8"]  # and the grid's model classifies
FROM_A_GRAPH = {"onnx-as-is": "import-onnx", "openvino-as-is": "import-openvino"}  # by how their names begin
TECHNIQUES = sorted(path.stem for path in (CONF / "technique").glob("*.yaml"))


def test_the_grid_has_every_technique() -> None:
    loaded: Any = OmegaConf.load(CONF / "grid" / "catalogue.yaml")
    (grid,) = loaded.grid.union
    of_checkpoints = [name for name in TECHNIQUES if not name.startswith(tuple(FROM_A_GRAPH))]
    assert sorted([*grid["technique"], *NEED_A_COMPILER, *FOR_VECTORS]) == of_checkpoints


@pytest.mark.parametrize("name", TECHNIQUES)
def test_a_technique_is_a_chain_that_joins(name: str) -> None:
    loaded = OmegaConf.merge({"seed": 0}, OmegaConf.load(CONF / "technique" / f"{name}.yaml"))
    technique: Any = OmegaConf.to_container(loaded, resolve=True)
    assert technique["name"] == name
    importing = next((step for start, step in FROM_A_GRAPH.items() if name.startswith(start)), None)
    may_be_mixed = any("margin" in step for step in technique["steps"])  # what would cost too much stays in float32
    allowed = [None] if may_be_mixed else [*PRECISIONS, *([None] if importing else [])]
    assert technique["precision"] in allowed
    steps = make_chain(technique["steps"], name)
    first = {"step": importing} if importing else {"step": "random-weights", "shape": {"model_type": "bert"}}
    own = make_chain([first], "model")
    check_chain([*own, *steps], FORMATS[technique["engine"]], name)
