"""Chains of jobs as a grid declares them."""

from __future__ import annotations

from typing import Any

import pytest

from hydra_plugins.pinbox_sweeper.sweeper import _waterfalls
from runner.config.schema import Config, GridConfig
from runner.errors import UserError
from runner.sweep.waterfall import find_waterfalls
from tests.sweep.test_jobs import a_job


def _key(*parts: Any) -> Any:
    return a_job(*parts).key


JOBS = [
    a_job(model, technique, threads)
    for model in ("big", "small")
    for technique in ("torch-eager", "onnx", "int8")
    for threads in (1, 2)
    if (model, threads) != ("small", 2)
]
CHAIN: list[dict[str, Any]] = [{"model": "big", "technique": "torch-eager"}, {"technique": "onnx"}, {"model": "small"}]


def test_a_row_changes_what_it_names_and_a_chain_without_all_its_jobs_is_left_out() -> None:
    one, two = find_waterfalls(JOBS, CHAIN[:2])
    assert one == [_key("big", "torch-eager", 1), _key("big", "onnx", 1)]
    assert two == [_key("big", "torch-eager", 2), _key("big", "onnx", 2)]
    assert find_waterfalls(JOBS, CHAIN) == [[*one, _key("small", "onnx", 1)]]
    assert find_waterfalls(JOBS, []) == []


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"technique": "none"},
            r"grid\.waterfall\[2\]: no job of the grid has {technique: none} and all other settings of",
        ),
        ({"technqiue": "onnx"}, r"grid\.waterfall\[2\]: there is no key 'technqiue'"),
        ({"technique": ["onnx", "int8"]}, r"grid\.waterfall\[2\]: 2 jobs of the grid have"),
    ],
)
def test_a_row_that_matches_no_single_job_is_named(row: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_waterfalls(JOBS, [*CHAIN[:2], row])


def test_what_the_command_line_leaves_out_is_no_error_of_the_grid() -> None:
    lacking = Config(grid=GridConfig(waterfall=[*CHAIN, {"technique": "none"}]))
    with pytest.raises(UserError, match="no job of the grid"):
        _waterfalls(JOBS, lacking, ["grid=demo"])
    assert _waterfalls(JOBS, lacking, ["grid=demo", "technique=onnx"]) == []
