"""The store holds each content once and complete, and never returns a broken entry."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from runner.store.artifacts import Store, atomic_write, verify


def put(store: Store, recipe: dict[str, str], text: str) -> str:
    with store.staging_dir() as folder:
        target = folder / "files"
        target.mkdir()
        (target / "model").write_text(text)
        return store.put(recipe, target, "onnx", [{"step": "x"}]).content


def test_what_is_put_is_found(tmp_path: Path) -> None:
    store = Store(tmp_path)
    content = put(store, {"a": "1"}, "hello")
    artifact = store.find({"a": "1"})
    assert artifact is not None
    assert (artifact.content, artifact.format, artifact.disk_bytes, artifact.lineage) == (
        content,
        "onnx",
        5,
        [{"step": "x"}],
    )
    assert (artifact.path / "model").read_text() == "hello"
    assert store.find({"a": "2"}) is None


def test_same_content_is_stored_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert put(store, {"a": "1"}, "hello") == put(store, {"a": "2"}, "hello")
    assert len(list((tmp_path / "contents").iterdir())) == 1
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("damage", ["truncated", "removed", "recipe"])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: str) -> None:
    store = Store(tmp_path)
    put(store, {"a": "1"}, "hello")
    artifact = store.find({"a": "1"})
    assert artifact is not None
    if damage == "truncated":
        (artifact.path / "model").write_text("he")
    elif damage == "removed":
        (artifact.path / "model").unlink()
    else:
        next((tmp_path / "recipes").iterdir()).write_text('{"content": "')
    assert store.find({"a": "1"}) is None
    put(store, {"a": "1"}, "hello")
    mended = store.find({"a": "1"})
    assert mended is not None
    assert (mended.path / "model").read_text() == "hello"


def test_nothing_is_left_of_a_failed_attempt(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail() -> None:
        with store.staging_dir() as folder:
            (folder / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list((tmp_path / "work").iterdir()) == []


def test_write_whole_replaces_and_leaves_no_other_file(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.json", "old")
    atomic_write(tmp_path / "a.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "new"


def test_the_compressed_size_is_that_of_every_file(tmp_path: Path) -> None:
    store, texts = Store(tmp_path), {"model": b"abcd" * 5000, "part/config": random.Random(0).randbytes(3000)}
    with store.staging_dir() as folder:
        for name, content in texts.items():
            (folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "files" / name).write_bytes(content)
        artifact = store.put({"a": "1"}, folder / "files", "onnx", [])
    size = store.compressed_bytes(artifact)
    assert 3000 < size < 3200  # random bytes cannot be compressed, and repeated bytes compress to almost nothing
    assert (
        Store(tmp_path).compressed_bytes(replace(artifact, path=tmp_path / "gone")) == size
    )  # it is counted only once


def test_what_is_not_named_as_a_content_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "file").write_text("x")
    monkeypatch.setattr(Path, "rglob", lambda *_: pytest.fail("looked into it"))
    assert not verify(tmp_path / "big")
    assert not verify(Path())
