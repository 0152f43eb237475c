"""A bundle can be checked and compared by somebody else, and tells nothing of whose machine it was."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import zstandard

from runner.diff.compare import diff
from runner.errors import UserError
from runner.export.bundle.paths import hide_paths
from runner.export.bundle.write import write_bundle
from runner.results.collect import collect
from runner.results.tables import LONG, Tables, read_tables
from tests.results.synthetic import DEMO, edit, trial_file, write_sweep

FOLDER = "/home/ada/secret-project/pinbox"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    sweep = write_sweep(tmp_path_factory.mktemp("own"))
    edit(sweep / "plan.json", overrides=["grid=demo", f"model.path={FOLDER}/model"])
    failed = {
        "status": "crashed",
        "error": f"FileNotFoundError: '{FOLDER}/x.onnx' is not there",
        "log": "trials/log.txt",
    }
    edit(trial_file(sweep, DEMO[1]), **failed)
    return collect(sweep)


@pytest.fixture(scope="module")
def bundle(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tables, tmp_path_factory.mktemp("bundles") / "demo")


def test_it_holds_what_a_reader_needs_and_its_hashes_hold(bundle: Path) -> None:
    names = {path.name for path in bundle.iterdir()}
    assert {"report.html", "report.md", "manifest.json", "results.parquet", "samples.parquet"} <= names
    listed = (bundle / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ")[1] for line in listed} == names - {"SHA256SUMS"}
    assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=bundle).returncode == 0


def test_it_names_no_folder_of_its_maker(bundle: Path, tables: Tables) -> None:
    assert FOLDER in json.dumps(tables.manifest)
    assert any(FOLDER in (error or "") for error in tables.results["error"].to_pylist())
    read = read_tables(bundle)
    whole = (table.read() if name in LONG else table for name, table in read.named().items())
    for text in (json.dumps(dict(read.manifest)), *(str(table.to_pylist()) for table in whole)):
        assert "secret-project" not in text
    for name in ("report.html", "report.md"):
        assert "secret-project" not in (bundle / name).read_text()
    assert "FileNotFoundError: '…/x.onnx' is not there" in read.results["error"].to_pylist()


def test_a_diff_with_its_own_sweep_finds_nothing(bundle: Path, tables: Tables) -> None:
    own, read = tables, read_tables(bundle)
    assert read.results.num_rows == own.results.num_rows
    for column in ("latency_p50_seconds", "latency_ratio", "job", "status"):
        assert read.results[column].to_pylist() == own.results[column].to_pylist()
    found = diff(own, read)
    assert len(found.compared) == len(DEMO)
    assert not found.real
    assert found.only_a == found.only_b == found.other_inputs == []


def test_an_archive_unpacks_to_the_same_and_is_the_same_each_time(bundle: Path, tables: Tables, tmp_path: Path) -> None:
    one, two = (write_bundle(tables, tmp_path / name / "demo.tar.zst") for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(
        fileobj=io.BytesIO(zstandard.ZstdDecompressor().stream_reader(one.read_bytes()).read())
    ) as packed:
        packed.extractall(tmp_path, filter="data")
    for path in bundle.iterdir():
        assert (tmp_path / "demo" / path.name).read_bytes() == path.read_bytes()


def test_nothing_is_overwritten(bundle: Path, tables: Tables) -> None:
    with pytest.raises(UserError, match="is there already"):
        write_bundle(tables, bundle)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("store=/data/ada/store", "store=…/store"),
        ("cannot read /home/ada/x.json: gone", "cannot read …/x.json: gone"),
        ("~/models/own", "…/own"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("sentence-transformers/all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"),
        ("outputs/store", "outputs/store"),
        ("and/or, 3 MB/s", "and/or, 3 MB/s"),
        ({"path": ["/a/b", 1, None]}, {"path": ["…/b", 1, None]}),
    ],
)
def test_paths_are_cut_to_their_last_part(text: object, hidden: object) -> None:
    assert hide_paths(text) == hidden
