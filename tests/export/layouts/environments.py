"""Environments of the clients that load exported folders. Each is made once, and kept in the cache.

A test that needs one is skipped where it cannot be made, with the reason.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.export.conftest import ROOT

HERE = Path(__file__).parent
_CACHE = ROOT / ".cache" / "layouts"
_TRANSFORMERS_JS = "@huggingface/transformers@4.3.2"
_TRITON = "tritonclient==2.73.0"


def python_of_the_clients() -> Path:
    """Return the Python of an environment with Optimum and sentence-transformers."""
    requirements = HERE / "clients.txt"

    def install(place: Path) -> None:
        venv.create(place, symlinks=True)
        _pip("--python", str(place / "bin" / "python"), "install", "--only-binary", ":all:", "-r", str(requirements))

    return _made("python", requirements.read_text(), install) / "bin" / "python"


def folder_of_transformers_js() -> Path:
    """Return a folder in which Node.js finds Transformers.js."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js or npm is not installed")

    def install(place: Path) -> None:
        place.mkdir()
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", _TRANSFORMERS_JS]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"npm cannot install Transformers.js: {done.stderr[-200:]}")

    return _made("node", _TRANSFORMERS_JS, install)


def triton_model_config() -> type[Any]:
    """Return the class ModelConfig of Triton's own client, which knows every field of config.pbtxt."""

    def install(place: Path) -> None:
        place.mkdir()
        _pip("download", "--no-deps", "--only-binary", ":all:", "--dest", str(place), _TRITON)
        (wheel,) = place.glob("*.whl")
        zipfile.ZipFile(wheel).extract("tritonclient/grpc/model_config_pb2.py", place)

    path = _made("triton", _TRITON, install) / "tritonclient" / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[Any] = module.ModelConfig
    return found


def _made(kind: str, recipe: str, install: Callable[[Path], None]) -> Path:
    """Return the folder of an environment, which appears in the cache whole or not at all."""
    place = _CACHE / f"{kind}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not place.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE, ignore_cleanup_errors=True) as work:
            install(Path(work) / kind)
            (Path(work) / kind).rename(place)
    return place


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if "NewConnectionError" in done.stderr:
        pytest.skip("no package index answers")
    assert done.returncode == 0, done.stderr
