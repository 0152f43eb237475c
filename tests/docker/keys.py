"""SSH keys that sign, made for one test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def make_key(folder: Path, name: str) -> Path:
    """Make a pair of keys without a passphrase, and return the file of the private one."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
    return key
