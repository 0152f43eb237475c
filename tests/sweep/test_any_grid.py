"""Any grid, through the sweeper: no job is lost, none is there twice, and what is done is not done again."""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf, open_dict

from runner.errors import UserError
from runner.results.records.plan import TrialSpec
from runner.store.sweep_folder import SweepFolder
from runner.sweep.plan import Plan
from runner.sweep.rounds import Rounds

CONF = Path(__file__).parents[2] / "conf"
SMOKE = ["model=tiny", "task=alice", "workload=smoke", "measure=smoke", "isolation=process"]
KEYS = {
    "technique": ["torch-eager", "onnx", "onnx-int8"],
    "workload.batch_size": [1, 2, 3],
    "workload.name": ["plain", "it's, [odd]", "🦆", "a=b"],
    "seed": [0, 1],
}
LEFT_OUT = {"technique": "torch-eager", "workload.batch_size": 2, "workload.name": "smoke", "seed": 0}

Grid = dict[str, list[dict[str, Any]]]
Planned = Callable[[Grid], Plan]


def _values(key: str) -> st.SearchStrategy[Any]:
    """Return one value of a key, or a list of some, which may be there twice."""
    return st.sampled_from(KEYS[key]) | st.lists(st.sampled_from(KEYS[key]), min_size=1, max_size=3)


def _some_keys(values: Callable[[str], st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={key: values(key) for key in KEYS})


GRIDS = st.fixed_dictionaries(
    {
        "union": st.lists(_some_keys(_values), max_size=2),
        "exclude": st.lists(_some_keys(_values).filter(bool), max_size=2),
    }
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """Plan a grid as the command does."""
    loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
    store = tmp_path_factory.mktemp("store")
    main = loader.load_configuration("config", [*SMOKE, f"store={store}"], RunMode.MULTIRUN)

    def plan(grid: Grid) -> Plan:
        config = main.copy()
        with open_dict(config):
            config.grid = OmegaConf.merge(main.grid, grid)
            config.hydra.sweep.dir = "a-sweep"
        context = HydraContext(config_loader=loader, callbacks=Callbacks())
        sweeper: Any = Plugins.instance().instantiate_sweeper(
            hydra_context=context, task_function=lambda _: None, config=config
        )
        made: Plan = sweeper.plan([*SMOKE, f"store={store}"])
        return made

    return plan


def expected(grid: Grid) -> set[tuple[Any, ...]]:
    """Return the jobs of a grid, by a product of each sub-grid's lists."""
    jobs = set()
    for subgrid in grid["union"] or [{}]:
        lists = [_listed((LEFT_OUT | subgrid)[key]) for key in KEYS]
        jobs |= {job for job in itertools.product(*lists) if not _is_excluded(job, grid["exclude"])}
    return jobs


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_excluded(job: tuple[Any, ...], rules: list[dict[str, Any]]) -> bool:
    values = dict(zip(KEYS, job, strict=True))
    return any(all(values[key] in _listed(wanted) for key, wanted in rule.items()) for rule in rules)


def _jobs(plan: Plan) -> list[tuple[Any, ...]]:
    configs = [(job.config, job.config["workload"]) for job in plan.jobs]
    return [(c["technique"]["name"], w["batch_size"], w["name"], c["seed"]) for c, w in configs]


@pytest.mark.slow
@settings(max_examples=12)
@given(grid=GRIDS)
def test_no_job_is_lost_and_none_is_there_twice(planned: Planned, grid: Grid) -> None:
    wanted = expected(grid)
    if not wanted:
        with pytest.raises(UserError, match="The grid gives no job"):
            planned(grid)
        return
    plan = planned(grid)
    found = _jobs(plan)
    assert len({job.key for job in plan.jobs}) == len(found) == len(set(found))
    added = set(found) - wanted
    assert set(found) >= wanted
    assert {job[0] for job in added} <= {"torch-eager"}, "only baselines are added"
    assert all(plan.baselines[job.key] for job in plan.jobs)
    for number in range(2):
        counts = Counter(trial.job for trial in plan.round(number))
        assert counts == {job.key: 2 if plan.baselines[job.key] == job.key else 1 for job in plan.jobs}


@pytest.mark.slow
@settings(max_examples=8)
@given(grid=GRIDS.filter(expected), data=st.data())
def test_what_is_done_is_not_done_again(planned: Planned, grid: Grid, data: st.DataObject) -> None:
    plan = planned(grid)
    with tempfile.TemporaryDirectory() as place:
        folder = SweepFolder(Path(place))
        everything = Rounds(plan, folder, _NoBox()).trials
        done = data.draw(st.sets(st.sampled_from(everything)))
        for trial in done:
            _finish(folder, trial)
        again = Rounds(plan, folder, _NoBox())
        assert again.trials == everything
        assert again.missing() == [trial for trial in everything if trial not in done]
        ran: list[str] = []

        def launch(batch: list[TrialSpec], first: int) -> None:
            assert first == len(ran)
            for trial in batch:
                ran.append(trial.name)
                _finish(folder, trial)

        shown: list[int] = []
        again.run(launch, shown.append if data.draw(st.booleans()) else None)
        assert ran == [trial.name for trial in everything if trial not in done]
        rounds = {trial.round + 1 for trial in everything if trial not in done}
        assert set(shown) <= rounds, "a round in which nothing ran changes no table"
        assert Rounds(plan, folder, _NoBox()).missing() == []


class _NoBox:
    image_id = base_id = None


def _finish(folder: SweepFolder, trial: TrialSpec) -> None:
    path = folder.trial(trial.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"status": "crashed"}')
