"""The workflow that publishes the image: its steps run as they are written, in a clone of a local repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import image
import publish
import published
import pytest
import yaml
from common import ROOT

from tests.docker.keys import make_key

WORKFLOW = ROOT / ".github" / "workflows" / "publish.yml"
DIGEST = f"sha256:{'1' * 64}"
SETTINGS = {
    "vars.PINBOX_REPOSITORY": "registry.example/group/pinbox",
    "secrets.REGISTRY_USER": "user",
    "secrets.REGISTRY_PASSWORD": "password",
    "github.token": "token",
}
# In the place of docker and python3, which would build and push an image.
DOCKER = '#!/bin/sh\n{ echo "$@"; cat; } >"$RUNNER_TEMP/docker"\n'
PYTHON = (
    '#!/bin/sh\necho "$@" >"$RUNNER_TEMP/python"\necho {} >docker/published.json\necho s >docker/published.json.sig\n'
)


def run_steps(job: dict[str, Any], folder: Path, settings: dict[str, str], environment: dict[str, str]) -> None:
    def values(step: dict[str, Any]) -> dict[str, str]:
        return {name: settings[re.sub(r"[${} ]", "", value)] for name, value in step.get("env", {}).items()}

    for step in job["steps"]:
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        subprocess.run(command, cwd=folder, env=environment | values(job) | values(step), check=True)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", "-C", str(folder), *arguments], text=True)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit on the branch `main`."""
    origin = tmp_path / "origin"
    (origin / "docker").mkdir(parents=True)
    (origin / "docker" / "Dockerfile").write_text("FROM scratch\n")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(origin))
    git(origin, "add", ".")
    git(origin, "-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "--message", "first")
    git(origin, "checkout", "--quiet", "--detach")
    return origin


def test_its_steps_publish_and_commit_the_record(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("bin", "work", "temp"):
        (tmp_path / name).mkdir()
    for name, script in {"docker": DOCKER, "python3": PYTHON}.items():
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "GITHUB_SERVER_URL": "https://forge.example",
        "GITHUB_REPOSITORY": "group/pinbox",
        "GITHUB_REF_NAME": "main",
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://token:token@forge.example/group/pinbox",
    }
    key = make_key(tmp_path, "key").read_text()
    job = yaml.safe_load(WORKFLOW.read_text())["jobs"]["publish"]
    run_steps(job, tmp_path / "work", SETTINGS | {"secrets.SIGNING_KEY": key}, environment)

    changed = git(origin, "diff", "--name-only", "main~1", "main").split()
    assert changed == ["docker/published.json", "docker/published.json.sig"]
    logged_in = (tmp_path / "temp" / "docker").read_text().splitlines()
    assert logged_in == ["login --username user --password-stdin registry.example", "password"]

    script, *options = (tmp_path / "temp" / "python").read_text().split()
    assert (ROOT / script).samefile(str(publish.__file__))
    record = published.Record("registry.example/group/pinbox", {"pinbox:x": {"amd64": DIGEST}})
    monkeypatch.setattr(sys, "argv", [script, *options])
    monkeypatch.setattr(image, "provide", lambda tag: "sha256:x")
    monkeypatch.setattr(publish, "publish", lambda tag, repository, insecure: record)
    for name in ("RECORD", "SIGNATURE", "SIGNERS"):
        monkeypatch.setattr(published, name, tmp_path / getattr(published, name).name)
    publish.main()
    assert published.read() == record
    assert published.SIGNATURE.read_text().startswith("-----BEGIN SSH SIGNATURE-----")
    assert capsys.readouterr().out.endswith("published.json and published.json.sig\n")


def test_it_publishes_for_both_architectures_one_after_the_other() -> None:
    strategy = yaml.safe_load(WORKFLOW.read_text())["jobs"]["publish"]["strategy"]
    assert strategy["max-parallel"] == 1
    assert [runner.endswith("-arm") for runner in strategy["matrix"]["runner"]] == [False, True]
