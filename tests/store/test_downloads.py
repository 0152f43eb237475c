"""Packages are downloaded once, and only the pinned ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UserError
from runner.store.downloads import archive
from tests.wheels import make_wheel, only_index


def test_a_package_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = make_wheel(tmp_path / "index", "demo", {"demo/a.txt": b"a"})
    only_index(monkeypatch, tmp_path / "index")
    first = archive("demo==1.0", sha256, tmp_path / "downloads", where="test")
    only_index(monkeypatch, None)
    assert archive("demo==1.0", sha256, tmp_path / "downloads", where="test") == first
    assert [path.name for path in (tmp_path / "downloads" / "packages").iterdir()] == [sha256]


def test_another_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_wheel(tmp_path / "index", "demo", {"demo/a.txt": b"a"})
    only_index(monkeypatch, tmp_path / "index")
    with pytest.raises(UserError, match=r"test: cannot download the package demo==1\.0: .*DO NOT MATCH THE HASHES"):
        archive("demo==1.0", "0" * 64, tmp_path / "downloads", where="test")
    assert list((tmp_path / "downloads" / "packages").iterdir()) == []


def test_without_an_index_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_index(monkeypatch, None)
    with pytest.raises(UserError, match=r"cannot download .*Run it once while a package index can be reached"):
        archive("demo==1.0", "0" * 64, tmp_path, where="test")


@pytest.mark.parametrize("requirement", ["demo", "demo>=1", "demo==1.0 --index-url x", "-r other.txt", "../demo==1"])
def test_a_requirement_must_be_exact(requirement: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must name one exact version"):
        archive(requirement, "0" * 64, tmp_path, where="test")


def test_a_hash_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must be 64 hexadecimal digits, but is '\.\./\.\./x'"):
        archive("demo==1.0", "../../x", tmp_path, where="test")
