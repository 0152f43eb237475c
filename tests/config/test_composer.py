"""Composing by parts gives the same jobs as Hydra, and refuses the same ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from runner.config.composer import Parts, without_hydra
from runner.config.schema import plain_config
from runner.errors import UserError

CONF = Path(__file__).parents[2] / "conf"
GRIDS = sorted(path.stem for path in (CONF / "grid").glob("*.yaml"))


class Compared:
    """A composer by parts and Hydra's own, both with the overrides that all jobs have."""

    def __init__(self, conf: Path, *common: str) -> None:
        self.loader = ConfigLoaderImpl(create_config_search_path(str(conf)))
        self.main = self.loader.load_configuration("config", list(common), RunMode.MULTIRUN)
        self.common = list(common)
        self.parts = Parts(self.loader, self.main, common)
        self.composed_by_hydra = 0
        by_hydra = self.loader.load_sweep_config
        known: dict[tuple[str, ...], DictConfig] = {}  # composed only once, because it takes a tenth of a second

        def counted(main: DictConfig, overrides: list[str]) -> DictConfig:
            self.composed_by_hydra += 1
            if tuple(overrides) not in known:
                known[tuple(overrides)] = by_hydra(main, overrides)
            return known[tuple(overrides)]

        self.loader.load_sweep_config = counted  # type: ignore[method-assign]

    def hydra(self, *overrides: str) -> tuple[Any, dict[str, Any]]:
        before = self.composed_by_hydra
        composed = without_hydra(self.loader.load_sweep_config(self.main, [*overrides, *self.common]))
        self.composed_by_hydra = before
        return OmegaConf.to_object(composed), plain_config(composed)

    def same(self, *overrides: str) -> Any:
        """Compose in both ways, and check that the results are the same, or that both refuse."""
        try:
            by_hydra, plain_by_hydra = self.hydra(*overrides)
        except (HydraException, OmegaConfBaseException, UserError) as error:
            with pytest.raises(type(error)):
                self.parts.compose([*overrides, *self.common])
            return None
        config, plain = self.parts.compose([*overrides, *self.common])
        assert config == by_hydra
        assert list(plain.items()) == list(plain_by_hydra.items())
        return config


def jobs_of(grid: str) -> list[list[str]]:
    """Return the overrides of each job of a shipped grid."""
    loaded: Any = OmegaConf.load(CONF / "grid" / f"{grid}.yaml")
    jobs = []
    for subgrid in OmegaConf.to_container(loaded)["grid"]["union"]:
        combinations: list[list[str]] = [[]]
        for key, values in subgrid.items():
            combinations = [
                [*job, f"{key}={v}"] for job in combinations for v in (values if isinstance(values, list) else [values])
            ]
        jobs += combinations
    return jobs


@pytest.mark.parametrize(
    "grid", [pytest.param(grid, marks=[] if grid == "smoke" else pytest.mark.slow) for grid in GRIDS]
)
def test_the_jobs_of_a_shipped_grid_are_what_hydra_composes(grid: str) -> None:
    """Compare up to twenty jobs, evenly spread over the grid: Hydra takes more than a second for each."""
    compared, jobs = Compared(CONF, f"grid={grid}"), jobs_of(grid)
    for overrides in jobs[:: -(-len(jobs) // 20)]:
        compared.same(*overrides)
    assert compared.composed_by_hydra <= len({part for job in jobs for part in job})


def test_jobs_of_known_parts_are_not_composed_again() -> None:
    compared = Compared(CONF, "grid=smoke")
    jobs = [[f"technique={t}", f"workload.batch_size={n}"] for t in ("onnx", "onnx-int8") for n in range(1, 20)]
    for overrides in jobs:
        compared.parts.compose([*overrides, "grid=smoke"])
    assert compared.composed_by_hydra == 2


def test_a_part_that_refers_to_another_follows_it() -> None:
    compared = Compared(CONF, "grid=catalogue")
    for seed in (0, 7, 0):
        for technique in ("distil-half", "onnx", "distil-half"):
            config = compared.same(f"technique={technique}", f"seed={seed}")
            seeds = [step["seed"] for step in config.technique.steps if "seed" in step]
            assert seeds == ([seed] if technique == "distil-half" else [])


@pytest.mark.slow
def test_values_that_refer_to_values_that_refer() -> None:
    compared = Compared(CONF)
    for name in ("a", "b"):
        for task in ("alice", "tweets"):
            overrides = ["model.family='${technique.name}-x'", "technique.name='${task.name}'", f"task={task}"]
            config = compared.same(*overrides, f"workload.name={name}")
            assert config.model.family == f"{task}-x"


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, -1])
def test_the_last_override_of_a_key_wins(order: int) -> None:
    compared = Compared(CONF)
    for techniques in (["technique=onnx", "technique=torch-eager"], ["technique=onnx"], ["technique=torch-eager"]):
        compared.same(*techniques[::order])
    for sizes in (["workload.batch_size=1", "workload.batch_size=2"], ["workload.batch_size=2"]):
        compared.same(*sizes[::order])


def test_what_is_wrong_in_one_job_is_wrong_in_every_job() -> None:
    compared = Compared(CONF)
    compared.same("technique=onnx", "threads=1")
    for _ in range(2):
        with pytest.raises(UserError, match="threads is 0"):
            compared.parts.compose(["technique=onnx", "threads=0"])
        with pytest.raises(HydraException, match=r"Could not override 'thread'|Error merging override"):
            compared.parts.compose(["technique=onnx", "thread=1"])
        with pytest.raises(HydraException, match="onxx"):
            compared.parts.compose(["technique=onxx"])
        with pytest.raises(UserError, match="may not name code to run"):
            compared.parts.compose(["technique=onnx", "+technique.steps=[{_target_: os.system}]"])
        with pytest.raises(UserError, match="may refer only to other keys"):
            compared.parts.compose(["technique=onnx", "model.name='${oc.env:HOME}'"])


PLAIN = {
    "model": {"m": "name: m\nfamily: m\n"},
    "technique": {"plain": "name: plain\nengine: torch\n"},
    "task": {"name": "name: name\nsource: x\n", "other": "name: other\nsource: x\n"},
    "workload": {"a": "name: a\n", "b": "name: b\nbatch_size: 3\n"},
    "measure": {"m": "name: m\n"},
    "isolation": {"p": "kind: process\n"},
    "extra": {"a": "# @package _global_\nseed: 3\n", "b": "# @package _global_\nseed: 4\n"},
}
REACHING = {
    "global": "# @package _global_\nworkload: {batch_size: 5}\ntechnique: {name: reaching, engine: torch}\n",
    "global, as it is now": "# @package _global_\nworkload: {name: a}\ntechnique: {name: reaching, engine: torch}\n",
    "overrides another group": "defaults: [{override /workload: b}, _self_]\n",
    "overrides another group, as it is now": "defaults: [{override /workload: a}, _self_]\n",
    "chooses for another group": "defaults: [/task@_global_.task: other, _self_]\n",
    "chooses by another group": "defaults: [{optional /extra: '${workload}'}, _self_]\n",
    "chooses within its own": "defaults: [/model@teacher: m, _self_]\n",
    "refers to a key beside it": "steps: [{step: '${...workload.name}'}]\n",
    "refers to a key by its full name": "steps: [{step: x, seed: '${workload.batch_size}'}]\n",
    "refers to a key by another's value": "steps: [{step: x, seed: '${workload.${task.name}}'}]\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("reaching", REACHING.values(), ids=REACHING)
@pytest.mark.parametrize("order", [1, -1])
def test_a_choice_that_reaches_out_of_its_group(reaching: str, order: int, tmp_path: Path) -> None:
    reaching = reaching if "@package" in reaching else f"{reaching}name: reaching\nengine: torch\n"
    for group, files in (PLAIN | {"technique": PLAIN["technique"] | {"reaching": reaching}}).items():
        (tmp_path / group).mkdir()
        for name, content in files.items():
            (tmp_path / group / f"{name}.yaml").write_text(content)
    choices = ", ".join(f"{group}: {next(iter(files))}" for group, files in PLAIN.items() if group != "extra")
    quiet = "override hydra/hydra_logging: none, override hydra/job_logging: none"
    (tmp_path / "config.yaml").write_text(f"defaults: [schema, {choices}, _self_, {quiet}]\n")
    compared = Compared(tmp_path)
    jobs = [
        [f"technique={t}", f"workload={w}", "workload.batch_size=7"][:length]
        for t in ("plain", "reaching")
        for w in "ab"
        for length in (1, 3)
    ]
    for overrides in jobs[::order]:
        compared.same(*overrides)
