"""docker/engine.sh refuses, in words, what it cannot do."""

import os
import subprocess
from pathlib import Path

import pytest
from common import DOCKER

ENGINE = DOCKER / "engine.sh"


def fake_programs(folder: Path, **programs: str) -> str:
    """A PATH whose first programs are these little scripts."""
    for name, body in programs.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def run(path: str, **more: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    return subprocess.run(["bash", ENGINE], env=clean | {"PATH": path} | more, capture_output=True, text=True)


def test_it_does_nothing_where_an_engine_answers(tmp_path: Path) -> None:
    done = run(fake_programs(tmp_path, docker="echo 20.10", dockerd="echo started >&2"))
    assert done.returncode == 0
    assert done.stdout == "  engine: answers already (server 20.10)\n"
    assert done.stderr == ""


def test_it_needs_root(tmp_path: Path) -> None:
    done = run(fake_programs(tmp_path, docker="exit 1", id="echo 1000"))
    assert done.returncode == 2
    assert done.stderr == "error: installing and starting an engine needs root: try `sudo docker/engine.sh`\n"


@pytest.mark.parametrize("host", ["unix:///nowhere.sock", "tcp://127.0.0.1:1"])
def test_it_does_not_start_an_engine_that_docker_host_would_hide(tmp_path: Path, host: str) -> None:
    done = run(fake_programs(tmp_path, docker="exit 1", id="echo 0"), DOCKER_HOST=host)
    assert done.returncode == 2
    assert f"DOCKER_HOST is set to {host}" in done.stderr
