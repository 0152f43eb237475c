"""Long tables: read part by part, only what is wanted, and the same whoever did the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from runner.errors import UserError
from runner.results import collect as collecting
from runner.results import cores
from runner.results.collect import collect
from runner.results.cores import parallel_map
from runner.results.tables import LONG, Tables, coded, read_tables, rows_by_job, tables_by_job
from tests.results.in_memory import in_memory
from tests.results.synthetic import DEMO, write_sweep

JOBS = [job.key for job in DEMO]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return collect(write_sweep(tmp_path_factory.mktemp("demo")))


def test_only_the_rows_of_the_jobs_that_are_asked_for_are_read(demo: Tables) -> None:
    whole = demo.samples.read()
    some = demo.samples.read(["role", "latency_seconds"], JOBS[1:3])
    kept = whole.filter(pc.is_in(whole["job"], pa.array(JOBS[1:3])))
    assert some.equals(kept.select(["role", "latency_seconds"]))
    assert len(demo.samples.read(["call"], [])) == 0
    assert len(demo.samples) == len(whole)


def test_strings_come_in_parts_as_numbers_that_can_be_compared(demo: Tables) -> None:
    table = demo.predictions.read()
    halves = replace(demo.predictions, path=in_memory("predictions", table).path)
    known: dict[str, int] = {}
    numbers = [number for part in halves.parts(["prediction"]) for number in coded(part["prediction"], known).tolist()]
    texts = {number: text for text, number in known.items()}
    assert [texts[number] for number in numbers] == table["prediction"].to_pylist()
    nothing = pa.chunked_array([pa.array([None, "a"]).dictionary_encode()])
    assert coded(nothing, {"b": 0}).tolist() == [-1, 1]


def test_rows_and_parts_by_job_keep_the_order_of_the_table(demo: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.results.tables._ROWS_AT_ONCE", 4)  # fewer than a job has
    rows = dict(rows_by_job(demo.results))
    assert list(rows) == list(dict.fromkeys(demo.results["job"].to_pylist()))
    assert [row for own in rows.values() for row in own] == sorted(
        demo.results.to_pylist(), key=lambda row: list(rows).index(row["job"])
    )
    assert {job: part.to_pylist() for job, part in tables_by_job(demo.results)} == rows
    assert list(rows_by_job(demo.results.slice(0, 0))) == []


@pytest.mark.parametrize("name", LONG)
def test_a_long_table_that_is_cut_off_is_said(tmp_path: Path, name: str) -> None:
    collect(write_sweep(tmp_path, rounds=1))
    path = tmp_path / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match=r"cannot be read.*python -m runner\.results"):
        read_tables(tmp_path)


@pytest.mark.slow
def test_several_processes_collect_what_one_does(demo: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in demo.folder.glob("*.parquet")}
    assert len(before) == 6
    monkeypatch.setattr(cores, "_MIN_ITEMS", 1)
    monkeypatch.setattr(cores, "cores", lambda: 2)
    monkeypatch.setattr(collecting, "_TRIALS_AT_ONCE", 5)
    collect(demo.folder)
    assert {path.name: path.read_bytes() for path in demo.folder.glob("*.parquet")} == before


def test_what_is_made_of_chunks_comes_in_order() -> None:
    assert list(parallel_map(list, range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(parallel_map(list, [], 3)) == []
