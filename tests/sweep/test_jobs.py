"""The planner: keys, exclusions, baselines, order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.schema import Config
from runner.errors import UserError
from runner.results.records.plan import Role
from runner.sweep.jobs import Job, alone_pairs, cold_starts, find_baselines, is_excluded, job_key, order_round


def a_config(model: str = "m", technique: str = "torch-eager", threads: int = 1, family: str = "m") -> dict[str, Any]:
    return {
        "model": {"name": model, "family": family, "weights": "trained"},
        "technique": {"name": technique, "engine": "torch"},
        "task": {"name": "tweets"},
        "workload": {"name": "online", "batch_size": 1},
        "measure": {"rounds": 3},
        "isolation": {"kind": "process", "memory": "4GiB"},
        "load": {"name": "closed", "kind": "closed", "workers": 1},
        "threads": threads,
        "seed": 0,
    }


def a_job(*args: Any, **kwargs: Any) -> Job:
    config = a_config(*args, **kwargs)
    return Job(job_key(config), Config(), config)


def test_key_ignores_what_makes_no_other_job() -> None:
    changed = a_config() | {"slots": "auto", "store": "another", "measure": {"rounds": 9}, "quality": {"margin": 2.0}}
    assert job_key(changed) == job_key(a_config())
    assert job_key(a_config(threads=2)) != job_key(a_config())


def test_the_settings_of_a_load_make_another_job_only_where_it_is_open() -> None:
    closed, same = a_config(), a_config() | {"load": {"name": "mine", "kind": "closed", "workers": 4}}
    one, two = (a_config() | {"load": {"name": "open", "kind": "open", "workers": workers}} for workers in (1, 2))
    assert job_key(closed) == job_key(same)
    assert len({job_key(closed), job_key(one), job_key(two)}) == 3
    found = [Job(job_key(config), Config(), config).conditions for config in (closed, same, one, two)]
    assert found[0] == found[1]
    assert len({*found}) == 3, "jobs under different loads share no baseline"


@pytest.mark.parametrize("name", ["../../etc", "a/b", "x y\n'\"", "🦆", "n" * 300])
def test_key_is_a_safe_file_name(name: str) -> None:
    key = job_key(a_config(model=name))
    assert "/" not in key
    assert not key.startswith(".")
    assert len(key) < 200
    assert key.isascii()


def test_exclusion_needs_every_key_of_a_rule() -> None:
    rules = [{"technique": ["onnx", "torch-eager"], "threads": 2}]
    assert is_excluded(a_config(threads=2), rules)
    assert not is_excluded(a_config(threads=1), rules)
    assert is_excluded(a_config(), [{"workload.batch_size": 1}])


def test_exclusion_with_an_unknown_key_is_an_error() -> None:
    with pytest.raises(UserError, match=r"no key 'workload.batchsize'.*Did you mean 'batch_size'"):
        is_excluded(a_config(), [{"workload.batchsize": 1}])


def test_baseline_is_the_family_s_own_model() -> None:
    large, small = a_job("m"), a_job("small")
    other = a_job("m", threads=2)
    variant = a_job("small", "onnx")
    found = find_baselines([small, variant, large, other], "torch-eager")
    assert found == {small.key: large.key, variant.key: large.key, large.key: large.key, other.key: other.key}


def test_no_baseline_without_its_technique() -> None:
    job = a_job(technique="onnx")
    assert find_baselines([job], "torch-eager") == {job.key: None}


techniques = st.sampled_from(["torch-eager", "onnx", "onnx-int8", "heads-25"])
grids = st.lists(
    st.builds(a_job, st.sampled_from(["m", "small"]), techniques, st.integers(1, 2)),
    min_size=1,
    max_size=12,
    unique_by=lambda job: job.key,
)


@given(grids, st.integers(0, 3), st.integers(0, 99))
def test_a_round_runs_every_job_once_and_its_baseline_twice(jobs: list[Job], number: int, seed: int) -> None:
    baselines = find_baselines(jobs, "torch-eager")
    trials = order_round(jobs, baselines, number, seed)
    assert trials == order_round(jobs, baselines, number, seed)
    assert [trial.position for trial in trials] == list(range(len(trials)))
    counts = Counter(trial.job for trial in trials)
    assert counts == {job.key: 2 if baselines[job.key] == job.key else 1 for job in jobs}
    assert {trial.round for trial in trials} == {number}
    assert len({trial.name for trial in trials}) == len(trials)


@given(grids, st.integers(0, 99))
def test_a_pair_alone_is_of_each_baseline_and_has_places_of_its_own(jobs: list[Job], seed: int) -> None:
    baselines = find_baselines(jobs, "torch-eager")
    trials = order_round(jobs, baselines, 1, seed)
    alone = alone_pairs(trials)
    assert all(trial.is_alone and trial.block == trial.job for trial in alone)
    assert not any(trial.is_alone for trial in trials)
    assert Counter(trial.job for trial in alone) == {key: 2 for key in baselines.values() if key}
    together = trials + alone
    assert [trial.position for trial in together] == list(range(len(together)))
    assert len({trial.name for trial in together}) == len(together)


@given(grids, st.integers(0, 99))
def test_a_round_may_end_with_a_cold_start_of_each_job(jobs: list[Job], seed: int) -> None:
    baselines = find_baselines(jobs, "torch-eager")
    trials = order_round(jobs, baselines, 1, seed)
    cold = cold_starts(trials)
    assert [trial.job for trial in cold] == list(dict.fromkeys(trial.job for trial in trials))
    assert all(trial.is_alone and trial.baseline == baselines[trial.job] for trial in cold)
    together = trials + cold
    assert [trial.position for trial in together] == list(range(len(together)))
    assert len({trial.name for trial in together}) == len(together)


@given(grids, st.integers(0, 99))
def test_baselines_enclose_their_variants(jobs: list[Job], seed: int) -> None:
    baselines = find_baselines(jobs, "torch-eager")
    trials = order_round(jobs, baselines, 0, seed)
    for baseline in {key for key in baselines.values() if key}:
        block = [trial for trial in trials if trial.baseline == baseline]
        assert block[0].role is Role.baseline_first
        assert block[-1].role is Role.baseline_last
        assert [trial.position for trial in block] == list(range(block[0].position, block[0].position + len(block)))


def test_rounds_differ_in_order_and_a_round_does_not_depend_on_others() -> None:
    jobs = [a_job(technique=f"t{number}") for number in range(8)]
    orders = [[trial.job for trial in order_round(jobs, find_baselines(jobs, "t0"), number, 0)] for number in range(3)]
    assert orders[0] != orders[1] != orders[2]
    assert orders[1] == [trial.job for trial in order_round(jobs, find_baselines(jobs, "t0"), 1, 0)]


def test_key_ignores_the_image() -> None:
    other = a_config() | {"isolation": {"kind": "process", "memory": "4GiB", "image": "sha256:1"}}
    assert job_key(other) == job_key(a_config() | {"isolation": {"kind": "process", "memory": "4GiB", "image": None}})
