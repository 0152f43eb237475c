"""Describe what made a row: the code, the lock file, the machine and the libraries."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from runner.config.paths import CODE, DOCKER, INSTALLED
from runner.machine.topology import cpu_model, physical_cores, total_memory_bytes

_LIBRARIES = (
    *("torch", "transformers", "onnx", "onnxruntime", "openvino", "nncf"),
    *("numpy", "tokenizers", "safetensors", "hydra-core"),
)


@cache
def code_version() -> str:
    """Return `<commit>+<hash of the sources>`.

    For an installed package, the version replaces the commit. Without git, only the hash is returned.
    """
    sources = hashlib.sha256()
    for path in sorted(CODE.rglob("*.py")):
        sources.update(path.relative_to(CODE).as_posix().encode() + b"\0" + path.read_bytes())
    digest = sources.hexdigest()[:12]
    if INSTALLED:
        return f"{version('pinbox')}+{digest}"
    try:
        command = ["git", "-C", str(CODE.parent), "rev-parse", "--short=12", "HEAD"]
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return digest
    return f"{commit}+{digest}"


@cache
def lock_sha256() -> str | None:
    """Return the hash of the lock file from which the image and the environment were made."""
    try:
        return hashlib.sha256((DOCKER / "box.lock").read_bytes()).hexdigest()
    except OSError:
        return None


def environment() -> dict[str, Any]:
    """Return a description of the machine and of this process's libraries."""
    return {
        "code_version": code_version(),
        "lock_sha256": lock_sha256(),
        "cpu_model": cpu_model(),
        "cores": len(physical_cores()),
        "logical_cpus": os.cpu_count(),
        "memory_bytes": total_memory_bytes(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: installed for name in _LIBRARIES if (installed := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
