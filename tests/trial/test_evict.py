"""Evicting files from the page cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.trial.evict import evict

MIB = 1 << 20


def is_cached(path: Path) -> bool:
    """Return whether the middle of a file is in the page cache."""
    file = os.open(path, os.O_RDONLY)
    try:
        return bool(os.preadv(file, [bytearray(1)], path.stat().st_size // 2, os.RWF_NOWAIT))
    except BlockingIOError:
        return False
    except OSError as error:
        pytest.skip(f"this file system does not say what is cached: {error}")
    finally:
        os.close(file)


def test_files_at_any_depth_leave_the_page_cache_and_keep_their_content(tmp_path: Path) -> None:
    files = [tmp_path / "model.onnx", tmp_path / "a" / "b" / "weights.bin"]
    files[1].parent.mkdir(parents=True)
    for path in files:
        path.write_bytes(b"x" * MIB)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    os.sync()
    assert all(map(is_cached, files))
    evict(tmp_path)
    if any(map(is_cached, files)):
        pytest.skip("this file system keeps its files in memory")
    assert all(path.read_bytes() == b"x" * MIB for path in files)
