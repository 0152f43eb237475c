"""Wheels made on the spot, for pip to find in a folder: no test needs a package index."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest


def make_wheel(folder: Path, name: str, files: dict[str, bytes]) -> str:
    """Write NAME-1.0-py3-none-any.whl with these files into `folder`; return its sha256."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for place, content in files.items():
            wheel.writestr(place, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def only_index(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    """Let pip see this folder and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder) if folder else "")
