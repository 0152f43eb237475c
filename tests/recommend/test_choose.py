"""The choice against one made by hand from the Parquet files, and what it says where something is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from runner.recommend.choose import Recommendation, choose
from runner.recommend.decision import DecisionData
from runner.recommend.decision_data import decision_data
from runner.results.collect import collect
from tests.recommend.sweeps import JOBS, random_limits
from tests.results.synthetic import BASELINE, Job, edit, trial_file, write_sweep


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    collect(write_sweep(folder, JOBS, rounds=6, noise=0.02))
    return folder


def _data(folder: Path, *jobs: Job, **options: Any) -> DecisionData:
    (data,) = decision_data(collect(write_sweep(folder, jobs, **options)))
    return data


def _place(data: DecisionData, label: str) -> int:
    return [variant.label for variant in data.variants].index(label)


def _winner(data: DecisionData, chosen: Recommendation) -> str:
    assert chosen.winner is not None
    return data.variants[chosen.winner].label


def _by_hand(folder: Path) -> pd.DataFrame:
    """Return the ok jobs as the issue defines them, from the files alone: accuracy and flips are counted again."""
    summary = pd.read_parquet(folder / "summary.parquet").set_index("job")
    texts = pd.read_parquet(folder / "predictions.parquet")
    right, right_before = texts.prediction == texts.label, texts.baseline_prediction == texts.label
    base = summary.latency_p50_seconds.reindex(summary.baseline_job).to_numpy()
    base_p90 = summary.latency_p90_seconds.reindex(summary.baseline_job).to_numpy()
    frame = pd.DataFrame(
        {
            "latency": (summary.latency_ratio * base).fillna(summary.latency_p50_seconds),
            "p90_seconds": summary.latency_p90_ratio * base_p90,
            "disk_bytes": summary.disk_bytes,
            "rss_bytes": summary.rss_peak_bytes,
            "score": right.groupby(texts.job).mean(),
            "negative_flips": (right_before & ~right).groupby(texts.job).mean(),
        }
    )
    return frame.loc[summary.index[summary.status == "ok"]]


def _excesses(frame: pd.DataFrame, limits: Mapping[str, float]) -> pd.DataFrame:
    missed = {
        name: (limit - frame.score if name == "score" else frame[name] - limit)
        / (max(limit, 0.01) if name == "negative_flips" else limit)
        for name, limit in limits.items()
    }
    return pd.DataFrame(missed, index=frame.index)


def test_the_choice_is_that_of_the_files(sweep: Path, tmp_path: Path) -> None:
    (data,) = decision_data(collect(sweep))
    frame = _by_hand(sweep)
    latencies = [variant.latency_seconds for variant in data.variants]
    places = [latencies.index(latency) for latency in frame.latency]
    outcomes = set()
    for limits in random_limits(200):
        chosen, excesses = choose(data, limits), _excesses(frame, limits)
        fits = (excesses <= 0).all(axis=1)
        for place, (_, row) in zip(places, excesses.iterrows(), strict=True):
            assert set(chosen.fails[place]) == {name for name, excess in row.items() if excess > 0}
        if fits.any():
            fastest = frame.latency[fits].min()
            assert latencies[chosen.winner or 0] == fastest
            assert chosen.nearest is None
        else:
            assert chosen.winner is None
            smallest = excesses.max(axis=1).min()
            assert chosen.excess == pytest.approx(smallest)
            assert chosen.nearest is not None
            row = excesses.iloc[places.index(chosen.nearest)]
            assert row.max() == pytest.approx(smallest)
            assert chosen.excess_measure == row.idxmax()
        outcomes.add(chosen.winner)
    assert len(outcomes) >= 5, "the limits must make a difference"
    assert None in outcomes


def _resampled_by_hand(limits: Mapping[str, float], frame: pd.DataFrame, folder: Path) -> pd.Series:
    """Return how often each job is the best, by another generator and from the files alone."""
    results = pd.read_parquet(folder / "results.parquet")
    texts = pd.read_parquet(folder / "predictions.parquet")
    wide = texts.assign(right=texts.prediction == texts.label).pivot(index="example", columns="job", values="right")
    variants = [job for job in frame.index if job in set(results.job[results.role == "variant"])]
    ratios = np.log(results.pivot_table(index="round", columns="job", values="latency_ratio")[variants])
    p90_ratios = results.pivot_table(index="round", columns="job", values="latency_p90_ratio")[variants]
    baseline = results[results.role.str.startswith("baseline")]
    p90s = p90_ratios.mul(baseline.groupby("round").latency_p90_seconds.mean(), axis=0)
    chance, wins = np.random.default_rng(5), pd.Series(0, index=variants)
    widening = np.sqrt(len(ratios) / (len(ratios) - 1))
    for _ in range(1000):
        rounds, examples = chance.integers(len(ratios), size=len(ratios)), chance.integers(len(wide), size=len(wide))
        moved = (ratios.iloc[rounds].mean() - ratios.mean()) * widening
        latency = np.log(frame.latency[variants]) + moved
        fits = wide.iloc[examples].mean()[variants] >= limits["score"]
        fits &= p90s.iloc[rounds].median() <= limits["p90_seconds"]
        if fits.any():
            wins[latency[fits].idxmin()] += 1
    return wins / 1000


@pytest.mark.slow
def test_the_shares_are_those_of_a_bootstrap_by_hand(tmp_path: Path) -> None:
    jobs = [job for job in JOBS if job.threads == 1 and not job.failure]
    data = _data(tmp_path, *jobs, rounds=6, noise=0.05)
    frame = _by_hand(tmp_path)
    limits = {"score": float(frame.score.median()) - 0.03, "p90_seconds": 0.040}
    latencies = [variant.latency_seconds for variant in data.variants]
    chosen, expected = choose(data, limits), _resampled_by_hand(limits, frame, tmp_path)
    assert (expected > 0.1).sum() >= 2, "the case must not be clear"
    for job, share in expected.items():
        place = latencies.index(frame.latency[job])
        assert chosen.shares.get(place, 0.0) == pytest.approx(share, abs=0.06)
    assert chosen.none_fits == pytest.approx(1 - expected.sum(), abs=0.06)


def test_no_resample_saves_a_variant_that_misses_a_limit_on_a_figure_that_does_not_scatter(sweep: Path) -> None:
    (data,) = decision_data(collect(sweep))
    for name in ("disk_bytes", "cold_start_seconds"):
        variants = [
            replace(variant, values=variant.values | {name: 9.0 if place == 0 else 1.0})
            for place, variant in enumerate(data.variants)
        ]
        chosen = choose(replace(data, variants=variants), {name: 2.0})
        assert chosen.fails[0] == [name]
        assert 0 not in chosen.shares
        assert sum(chosen.shares.values()) == pytest.approx(1)


def test_shares_add_up(sweep: Path) -> None:
    (data,) = decision_data(collect(sweep))
    for limits in random_limits(20, seed=3):
        chosen = choose(data, limits)
        assert sum(chosen.shares.values()) + (chosen.none_fits or 0) == pytest.approx(1)


def test_a_limit_on_what_is_not_known_is_missed(tmp_path: Path) -> None:
    data = _data(tmp_path, *JOBS[:3], weights="random")
    chosen = choose(data, {"score": 0.1})
    assert chosen.winner is None
    assert chosen.nearest is None, "nobody can say who is near"
    assert all(fails == ["score"] for fails in chosen.fails)
    assert choose(data, {"p90_seconds": 1.0}).winner is not None


def test_the_baseline_has_no_negative_flips(tmp_path: Path) -> None:
    data = _data(tmp_path, BASELINE, Job("worse", 0.05, flips=3.0))
    chosen = choose(data, {"negative_flips": 0.0})
    assert _winner(data, chosen) == "torch-eager"
    assert chosen.fails[_place(data, "worse")] == ["negative_flips"]


def test_only_jobs_without_a_failure_are_chosen(tmp_path: Path) -> None:
    partly = Job("partly", 0.001, failure=("timeout", "took too long", (1,)))
    data = _data(tmp_path, *JOBS[:2], partly)
    assert {variant.label for variant in data.variants} == {"torch-eager", "onnx"}
    assert data.failed == [("partly", "timeout")]


def test_without_any_job_nothing_is_chosen(tmp_path: Path) -> None:
    data = _data(tmp_path, Job("a", failure=("oom", "killed", (0, 1, 2))))
    assert choose(data, {}) == Recommendation([], None, None, None, None, {}, 1.0, [])


def test_a_sweep_without_ratios_is_chosen_from_by_raw_latency(tmp_path: Path) -> None:
    broken = Job("torch-eager", failure=("crashed", "no baseline", (0, 1, 2)))
    data = _data(tmp_path, broken, Job("slow", 0.2), Job("quick", 0.1))
    assert not any(variant.paired for variant in data.variants)
    chosen = choose(data, {})
    assert _winner(data, chosen) == "quick"
    assert chosen.shares[chosen.winner or 0] == 1.0


def test_one_round_gives_a_choice_and_no_probability(tmp_path: Path) -> None:
    chosen = choose(_data(tmp_path, *JOBS[:3], rounds=1), {})
    assert chosen.winner is not None
    assert (chosen.shares, chosen.none_fits, chosen.ties) == ({}, None, [])


def test_clones_are_ties_and_share_the_chance(tmp_path: Path) -> None:
    clones = [Job(f"clone-{i}", 0.05) for i in range(3)]
    data = _data(tmp_path, BASELINE, *clones, Job("slower", 0.08), rounds=8)
    chosen = choose(data, {})
    assert len(chosen.ties) == 2
    alike = [chosen.winner or 0, *chosen.ties]
    assert {data.variants[place].label for place in alike} == {"clone-0", "clone-1", "clone-2"}
    assert sum(chosen.shares[place] for place in alike) == 1.0


def test_a_disturbed_round_does_not_count(tmp_path: Path) -> None:
    job = Job("onnx", 0.08)
    write_sweep(tmp_path, [BASELINE, job], rounds=4)
    plan = tmp_path / "plan.json"
    edit(plan, measure={**pd.read_json(plan, typ="series")["measure"], "rounds": 3})
    edit(trial_file(tmp_path, job, 2), steal_seconds=60.0, latency_p50_seconds=9.0)
    (data,) = decision_data(collect(tmp_path))
    assert [block.rounds for block in data.blocks] == [3]


def test_more_examples_than_are_resampled_scatter_as_all_would(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(4000)]
    data = _data(tmp_path, BASELINE, Job("quick", 0.05, flips=1.0), texts=texts)
    assert (data.texts, data.examples) == (4000, 1000)
    quick = _place(data, "quick")
    accuracy = data.variants[quick].values["score"]
    error = (accuracy * (1 - accuracy) / 4000) ** 0.5
    for errors, below in ((-1.0, 0.16), (0.0, 0.5), (1.0, 0.84)):
        chosen = choose(data, {"score": accuracy + errors * error})
        assert 1 - chosen.shares[quick] == pytest.approx(below, abs=0.05)


def test_the_cost_of_a_million_texts(tmp_path: Path) -> None:
    data = _data(tmp_path, Job("torch-eager", 0.36, threads=2), noise=0.0, batch_size=8)
    assert data.cost(0, 0.05) == pytest.approx(0.05 * 2 * 0.36 / 3600 / 8 * 1e6)


def test_each_kind_of_box_and_task_is_a_choice_of_its_own(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, JOBS[:2]))
    summary = tables.summary.to_pandas()
    assert len(decision_data(tables)) == 1
    assert set(summary.threads) == {1}
    (with_threads,) = decision_data(collect(write_sweep(tmp_path / "threads", JOBS)))
    assert {variant.threads for variant in with_threads.variants} == {1, 2}
    assert _place(with_threads, "onnx-int8 · 2 threads") >= 0
