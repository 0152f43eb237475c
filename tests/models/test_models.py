"""Every model in conf/ composes to a chain that gives a checkpoint or a graph, trained or, if possible, random."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from runner.config.schema import Config, ModelConfig, SourceConfig, SourceKind, Weights, register
from runner.errors import UserError
from runner.models.source import chain_entries, fetch_model, model_identity
from runner.techniques.chain import check_chain, make_chain

CONF = Path(__file__).parents[2] / "conf"
GRAPHS = {"onnx-folder": "onnx", "openvino-folder": "openvino"}  # and what they give, since they are no checkpoints
NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


def _model(name: str, *overrides: str) -> ModelConfig:
    register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = OmegaConf.to_object(compose("config", [f"model={name}", *overrides]))
    assert isinstance(cfg, Config)
    return cfg.model


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tiny"])
def test_trained_models_compose(name: str) -> None:
    steps = make_chain(chain_entries(_model(name), seed=0), f"model '{name}'")
    assert steps[0].takes == "files"
    check_chain(steps, GRAPHS.get(name, "checkpoint"), name)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("folder", *GRAPHS)])
def test_random_models_compose(name: str) -> None:
    model = _model(name, "model.weights=random")
    steps = make_chain(chain_entries(model, seed=7), f"model '{name}'")
    assert [step.name for step in steps] == ["random-weights"]
    assert vars(steps[0])["seed"] == 7
    assert steps[0].takes is None
    assert model_identity(model, Path("unused")) == {}
    assert fetch_model(model, Path("unused")) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_called_like_its_file(name: str) -> None:
    assert _model(name).name == name


def test_random_weights_need_a_shape() -> None:
    with pytest.raises(UserError, match="weights are random, but shape is empty"):
        chain_entries(_model("folder", "model.weights=random"), seed=0)


def test_trained_weights_need_a_source() -> None:
    with pytest.raises(UserError, match=r"model 'tiny' has no source of trained weights\. Take model\.weights=random"):
        chain_entries(_model("tiny", "model.weights=trained"), seed=0)


@pytest.mark.parametrize("step", [{"step": "import-checkpoint", "head": "new"}, {"step": "import-onnx-bert"}])
def test_a_new_head_must_be_trained(step: dict[str, str]) -> None:
    source = SourceConfig(kind=SourceKind.folder)
    model = ModelConfig(name="demo", family="demo", weights=Weights.trained, source=source, steps=[step])
    with pytest.raises(UserError, match=r"steps make a new head, but none trains it\. Add \{step: fine-tune\}"):
        chain_entries(model, seed=0)


def test_trained_weights_need_steps() -> None:
    model = ModelConfig(name="demo", family="demo", source=SourceConfig(kind=SourceKind.folder))
    with pytest.raises(UserError, match=r"steps is empty\. Start with \[\{step: import-checkpoint\}\]"):
        chain_entries(model, seed=0)
