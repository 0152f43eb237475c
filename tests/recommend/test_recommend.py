"""The command: what it prints, what it refuses, its exit codes; and the size of what a page holds."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from runner.cli.pinbox import main
from runner.errors import UserError
from runner.recommend.choose import choose
from runner.recommend.decision_data import decision_data
from runner.recommend.limits import MEASURES, read_limits, read_price
from runner.recommend.margin import Margin
from runner.recommend.messages import LATENCY, memory_line
from runner.report.outcomes import MAX_CHARACTERS
from runner.report.recommendation import recommend_section
from runner.results.collect import collect
from runner.results.tables import Tables
from tests.recommend.sweeps import JOBS
from tests.results.in_memory import changed
from tests.results.synthetic import BASELINE, Job, write_sweep


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Runs the command: exit code, and what it printed."""

    def ran(*arguments: object) -> tuple[int, str]:
        monkeypatch.setenv("COLUMNS", "160")
        code = main(["recommend", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return ran


def test_one_fits(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    collect(write_sweep(tmp_path, JOBS, rounds=6))
    code, text = run(tmp_path, "--max-disk-mb=25", "--core-hour=0.04")
    assert code == 0
    assert "→ onnx-int8 · 2 threads" in text
    assert "disk 30.0 MB > 25.0 MB" in text
    assert "A million texts cost" in text
    assert "Left out: broken · 1 thread, oom." in text
    said = " ".join(text.split())
    assert said.count(LATENCY) == 1
    assert "file-mapped pages included, with inputs of up to 64 tokens; longer ones need more." in said


def test_the_length_that_memory_holds_for_is_told_or_that_it_is_not_known(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, JOBS, rounds=2))
    (data,) = decision_data(tables)
    assert "up to 64 tokens" in memory_line([data])
    assert "up to 16, 64 tokens" in memory_line([data, replace(data, longest_tokens=16)])
    assert "with the timed inputs" in memory_line([replace(data, longest_tokens=None)])
    assert memory_line([replace(data, variants=[replace(data.variants[0], values={})])]) == ""


def test_without_a_speedup_latency_is_raw_and_nothing_says_otherwise(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tables = collect(write_sweep(tmp_path, [Job("torch-eager", failure=("oom", "killed", (0, 1, 2))), JOBS[1]]))
    code, text = run(tmp_path)
    assert (code, "Latency is" in text) == (0, False)
    section = recommend_section(tables)
    assert section is not None
    assert "Latency is" not in section.html


def test_none_fits(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    collect(write_sweep(tmp_path, JOBS, rounds=6))
    code, text = run(tmp_path, "--max-disk-mb=20")
    assert code == 1
    assert "No variant keeps every limit." in text
    assert "by 15% of the limit" in text, "23 MB against 20"


def test_nothing_to_choose_from(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    collect(write_sweep(tmp_path, [Job("a", failure=("oom", "killed", (0, 1, 2)))]))
    code, text = run(tmp_path)
    assert code == 2
    assert "nothing to choose from" in text


def test_not_a_sweep(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, text = run(tmp_path)
    assert code == 2
    assert "Collect them first" in text


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("max-p90-ms", "abc", "--max-p90-ms=abc is not allowed"),
        ("max-p90-ms", "0", "would allow nothing"),
        ("max-disk-mb", "-1", "--max-disk-mb=-1 is not allowed"),
        ("max-rss-mb", "nan", "--max-rss-mb=nan is not allowed"),
        ("min-score", "101", "above 100%"),
        ("max-negative-flips", "inf", "--max-negative-flips=inf is not allowed"),
    ],
)
def test_limits_that_cannot_be_meant(option: str, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        read_limits({option: text})


def test_limits_in_the_units_of_the_tables() -> None:
    assert read_limits({"max-p90-ms": "20", "min-score": None}) == {"p90_seconds": 0.02}
    assert read_limits({"min-score": "80"}) == read_limits({"min-score": "0.8"}) == {"score": 0.8}
    assert read_limits({"max-disk-mb": "23.5", "max-negative-flips": "0"}) == {
        "disk_bytes": 23.5e6,
        "negative_flips": 0,
    }
    with pytest.raises(UserError, match="--core-hour=free"):
        read_price("free")


def test_a_miss_shows_digits_enough() -> None:
    disk = next(measure for measure in MEASURES if measure.name == "disk_bytes")
    assert disk.miss(23_029_906, 23e6) == "disk 23.03 MB > 23.00 MB"


def test_ten_thousand_jobs_stay_small(tmp_path: Path) -> None:
    chance = random.Random(0)
    jobs = [JOBS[0], *(Job(f"variant-{i}", chance.uniform(0.02, 0.2), flips=chance.random()) for i in range(40))]
    tables = collect(write_sweep(tmp_path, jobs, rounds=8, texts=[f"text {i}" for i in range(800)]))
    data, empty = (_page_data(sweep) for sweep in (tables, _without_variants(tables)))
    outcomes = [choice.pop("outcomes") for choice in (*data["choices"], *empty["choices"])]
    assert len(outcomes[0]["variants"]) < 40, "only those that may be the best"
    assert (_size(data) - _size(empty)) / 40 * 10_000 + MAX_CHARACTERS < 4.5e6


def _page_data(tables: Tables) -> Any:
    section = recommend_section(tables)
    assert section is not None
    found = re.search(r'id="recommend-data">(.*?)</script>', section.html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def _size(data: object) -> int:
    return len(json.dumps(data, separators=(",", ":")))


def _without_variants(tables: Tables) -> Tables:
    return changed(tables, lambda table, _: table.filter(pa.compute.equal(table["job"], JOBS[0].key)))


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A sweep of 800 texts in which one variant is certified, one is undecided, and two are worse."""
    collect(write_sweep(tmp_path, rounds=6, texts=[f"text {number}" for number in range(800)]))
    return tmp_path


def test_only_what_is_certified_is_within_the_margin(run, certified: Path) -> None:  # type: ignore[no-untyped-def]
    code, text = run(certified, "--margin=1")
    said = " ".join(text.split())
    assert (code, "→ torchscript" in text) == (0, True)
    assert "Limits: loss of quality ≤ 1 point" in text
    assert "onnx-int8 (worse by 5.5 points); onnx (undecided within 1 point: 2,200 texts would decide)" in said


def test_what_is_undecided_counts_if_that_is_allowed_and_what_is_worse_never(run, certified: Path) -> None:  # type: ignore[no-untyped-def]
    code, text = run(certified, "--margin=1", "--allow-undecided")
    assert (code, "→ onnx\n" in text) == (0, True)
    assert "onnx-int8 (worse by 5.5 points)" in " ".join(text.split())


def test_another_margin_than_the_sweep_s_is_tested_anew(run, certified: Path) -> None:  # type: ignore[no-untyped-def]
    assert "→ onnx-int8" in run(certified, "--margin=9")[1]
    assert "→ torch-eager" in run(certified, "--margin=0.1")[1]


def test_an_undecided_variant_whose_estimate_is_beyond_the_margin_does_not_count(tmp_path: Path) -> None:
    tables = collect(write_sweep(tmp_path, [BASELINE, Job("onnx", 0.05, flips=0.5)]))
    row = tables.jobs[1]
    assert (row["quality_verdict"], row["accuracy_difference"]) == ("undecided", pytest.approx(-1 / 60))
    for margin, winner in ((0.01, "torch-eager"), (0.02, "onnx")):
        (data,) = decision_data(tables, Margin(margin, allow_undecided=True))
        chosen = choose(data, {"loss": margin})
        assert chosen.winner is not None
        assert data.variants[chosen.winner].label == winner


def test_without_labels_nothing_is_within_a_margin(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    collect(write_sweep(tmp_path, labels=[]))
    code, text = run(tmp_path, "--margin=1")
    assert (code, "loss of quality not known" in " ".join(text.split())) == (1, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--allow-undecided"], "--allow-undecided needs --margin"),
        (["--margin=0"], "--margin=0 would allow nothing. Give a number of points, such as 1."),
        (["--margin=-1"], "--margin=-1 is not allowed"),
        (["--margin=101"], "--margin=101 is above 100%"),
    ],
)
def test_margins_that_cannot_be_meant(run, certified: Path, options: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    code, text = run(certified, *options)
    assert (code, said in " ".join(text.split())) == (2, True)
