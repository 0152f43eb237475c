"""Which job of A is which job of B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runner.diff.join import Join, join, sides
from runner.results.tables import Tables
from tests.diff.sweeps import BASELINE, Job, sweep

ONNX = Job("onnx")


def _joined(a: Sequence[Job], b: Sequence[Job], **of_b: Any) -> Join:
    return _join(sweep(a), sweep(b, **of_b))


def _join(a: Tables, b: Tables) -> Join:
    known: dict[str, int] = {}
    return join(sides(a, known), sides(b, known))


def _keys(found: Join) -> list[tuple[str, str]]:
    return [(pair.a.row["job"], pair.b.row["job"]) for pair in found.pairs]


def test_the_same_key_wins_over_the_same_names() -> None:
    found = _joined([BASELINE, ONNX], [BASELINE, replace(ONNX, setting="-f"), ONNX])
    assert _keys(found) == [("m_torch-eager_t1", "m_torch-eager_t1"), ("m_onnx_t1", "m_onnx_t1")]
    assert [side.row["job"] for side in found.only_b] == ["m_onnx_t1-f"]


def test_names_and_threads_pair_what_only_a_hidden_setting_tells_apart() -> None:
    a = [ONNX, replace(ONNX, threads=2)]
    assert _keys(_joined(a, [replace(job, setting="-f") for job in a])) == [
        ("m_onnx_t1", "m_onnx_t1-f"),
        ("m_onnx_t2", "m_onnx_t2-f"),
    ]


def test_names_that_are_not_unique_pair_nothing() -> None:
    found = _joined([ONNX], [replace(ONNX, threads=2), replace(ONNX, threads=4)])
    assert found.pairs == []
    assert (len(found.only_a), len(found.only_b)) == (1, 2)


def test_boxes_of_different_kinds_are_never_paired() -> None:
    assert _joined([BASELINE], [BASELINE], isolation="process").pairs == []


def test_disturbed_rounds_and_failed_trials_do_not_count() -> None:
    tables = sweep([ONNX], rounds=3)
    rows = tables.results.to_pylist()
    rows[0]["included"], rows[1]["status"] = False, "oom"
    results = type(tables.results).from_pylist(rows, schema=tables.results.schema)
    (side,) = sides(replace(tables, results=results), {})
    assert [trial["round"] for trial in side.trials] == [2]


def test_a_changed_step_is_a_changed_setting() -> None:
    def with_step(tables: Any, **config: object) -> Any:
        lineage = {"onnx40": [{"step": "onnx-export", "config": config}]}
        return replace(tables, manifest=tables.manifest | {"lineage": lineage})

    a, b = with_step(sweep([ONNX]), opset=17), with_step(sweep([ONNX]), opset=18)
    assert _join(a, b).pairs[0].settings == ["onnx-export.opset 17 → 18"]
    assert _join(a, sweep([ONNX])).pairs[0].settings == []  # not known on one side
