"""What a diff prints and writes."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from runner.cli.pinbox import main
from runner.diff.compare import Diff, diff
from runner.diff.markdown import render_markdown
from runner.diff.schema import DIFF
from runner.diff.terminal import print_diff
from runner.diff.write import write_diff
from runner.errors import UserError
from tests.diff.sweeps import JOBS, Job, sweep
from tests.results.in_memory import write_all

CHANGED = [JOBS[0], replace(JOBS[1], latency_ratio=0.7), Job("a|b <script>")]


@pytest.fixture
def found() -> Diff:
    return diff(sweep(), sweep(CHANGED, cpu_model="Other CPU"))


def _printed(found: Diff, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    print_diff(found, "any", console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_says_the_cpu_first_and_the_exit_code_last(found: Diff, width: int) -> None:
    lines = _printed(found, width).splitlines()
    assert lines[0].startswith("Different CPUs: CPU model Test CPU → Other CPU.")
    assert lines[-1].endswith("Exit code 1.")
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "Speedup 1.6" in text
    assert "Only in A:\n  onnx-int8 · 1 thread\n" in text
    assert "Only in B:\n  a|b <script> · 1 thread\n" in text


def test_nothing_real_reads_so() -> None:
    text = _printed(diff(sweep(), sweep()), 80)
    assert "Environment: nothing differs." in text
    assert "Nothing is really different in 3 jobs. Exit code 0." in text


def test_markdown_escapes_names_and_begins_with_the_cpu(found: Diff) -> None:
    text = render_markdown(found, "any")
    assert text.startswith("> **Different CPUs")
    assert "<script>" not in text
    assert "latency +1" in text


def test_json_and_parquet_hold_every_change(found: Diff, tmp_path: Path) -> None:
    write_diff(found, tmp_path / "new", "any")
    record = json.loads((tmp_path / "new/diff.json").read_text())
    table = pq.read_table(tmp_path / "new/diff.parquet")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["diff.html", "diff.json", "diff.md", "diff.parquet"]
    assert record["exit_code"] == 1
    assert record["only_a"] == ["m_onnx-int8_t1"]
    assert record["compared"] == table.to_pylist()
    assert {row["measure"] for row in table.to_pylist() if row["real"]} == {"latency_ratio"}
    assert {row["score"] for row in table.to_pylist() if row["measure"] == "score"} == {"accuracy"}
    assert {row["score"] for row in table.to_pylist() if row["measure"] != "score"} == {None}
    assert all(field.metadata[b"description"] for field in table.schema)
    assert table.schema.names == DIFF.names


def test_a_folder_that_cannot_be_written(found: Diff, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_diff(found, tmp_path / "file" / "below", "any")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, jobs in (("a", JOBS), ("b", CHANGED)):
        (tmp_path / name).mkdir()
        write_all(sweep(jobs), tmp_path / name)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        return main(["diff", *arguments]), capsys.readouterr().err

    assert run("a", "a") == (0, "")
    assert (tmp_path / "a/diff.md").exists()
    assert run("a", "b", "--out", "out") == (1, "")
    assert (tmp_path / "out/diff.json").exists()
    assert not (tmp_path / "b/diff.json").exists()
    assert run("a", "b", "--fail-on", "larger") == (0, "")
    for arguments, told in (
        ("a absent", "is not a folder"),
        ("a .", "holds no collected results"),
        ("a b --fail-on bigger", "lower-score"),
    ):
        code, error = run(*arguments.split())
        assert code == 2
        assert told in error
