"""Entries of a sub-grid as overrides of Hydra."""

from __future__ import annotations

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from runner.config.overrides import override_line, remark_on_overridden_keys
from runner.errors import UserError


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (["a", "b"], ["a", "b"]),
        ([1, 2], [1, 2]),
        ("it's, [odd]", ["it's, [odd]"]),
        (True, [True]),
        (None, [None]),
        ("sentence-transformers/all-x", ["sentence-transformers/all-x"]),
    ],
)
def test_override_line_says_to_hydra_what_yaml_says(value: Any, values: list[Any]) -> None:
    override = OverridesParser.create().parse_override(override_line("key", value, "grid.union[0]"))
    sweep = list(override.sweep_iterator()) if override.is_sweep_override() else [override.value()]
    assert sweep == values


@pytest.mark.parametrize("value", [[["a", "b"]], {"a": 1}, [], [{"a": 1}]])
def test_override_line_refuses_what_hydra_would_misread(value: Any) -> None:
    with pytest.raises(UserError, match=r"grid.union\[2\].technique"):
        override_line("technique", value, "grid.union[2]")


def test_keys_that_the_command_line_overrides_are_named_with_their_rows() -> None:
    rows = [{"model": "a", "threads": 2}, {"model": "b"}, {"model": "c", "threads": [1, 2]}]
    remark = remark_on_overridden_keys(rows, ["threads=1", "measure=smoke", "grid=mine"])
    assert remark == "The command line overrides keys of the grid: threads (in grid.union[0], [2])."


def test_no_remark_where_nothing_is_overridden() -> None:
    assert remark_on_overridden_keys([{"model": "a"}], ["grid=mine", "threads=2"]) is None
