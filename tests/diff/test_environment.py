"""What differs around the jobs."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa

from runner.diff.environment import Difference, differences, same_cpu
from tests.diff.sweeps import sweep


def test_everything_that_differs_is_listed_the_cpu_first() -> None:
    new = {"image_id": "sha256:" + "2" * 64, "versions": {"torch": "2.14.0"}, "cpu_model": "Other CPU"}
    before, after = sweep(), sweep(**new)
    after = replace(after, manifest=after.manifest | {"seed": 7, "measure": {"name": "quick"}})
    found = {one.name: one.shown for one in differences(before, after)}
    assert found == {
        "CPU model": ("Test CPU", "Other CPU"),
        "image": ("1", "222222222222"),
        "seed": ("0", "7"),
        "measure.name": ("default", "quick"),
        "torch": ("2.13.0", "2.14.0"),
    }
    assert next(iter(found)) == "CPU model"


def test_a_library_that_one_side_did_not_run_is_no_difference() -> None:
    assert differences(sweep(), sweep(versions={"torch": "2.13.0", "openvino": "2026.1"})) == []


def test_another_python_in_the_boxes_is_named() -> None:
    before, after = sweep(), sweep()
    before, after = (
        replace(tables, results=_with_box_rest(tables.results, {"python": python}))
        for tables, python in ((before, "3.11.7"), (after, "3.13.0"))
    )
    assert differences(before, after) == [Difference("Python (in the box)", "3.11.7", "3.13.0")]


def _with_box_rest(results: pa.Table, rest: dict[str, str]) -> pa.Table:
    place = results.schema.get_field_index("box_rest")
    return results.set_column(place, "box_rest", pa.array([json.dumps(rest)] * results.num_rows))


def test_other_instruction_sets_are_another_cpu_unless_one_side_does_not_know_them() -> None:
    assert not same_cpu([Difference("instruction sets", "avx2", "avx2 avx512f")])
    assert same_cpu([Difference("instruction sets", "", "avx2")])
    assert same_cpu([Difference("kernel", "6.1", "6.2")])
