"""The lock files: hashed, in agreement with each other and with pyproject.toml, and free of CUDA."""

import re
import tomllib
from pathlib import Path

import pytest
from common import DOCKER, ROOT
from packages import BOX_LOCK, HOST_LOCK, UV_LOCK
from packaging.requirements import Requirement

LOCKS = pytest.mark.parametrize("lock", [HOST_LOCK, BOX_LOCK], ids=lambda lock: lock.name)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_lock(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Return the version and the hashes of each package of a lock file."""
    text = lock.read_text().replace("\\\n", " ")
    return {
        name: (version, re.findall(r"--hash=sha256:([0-9a-f]{64})", rest))
        for name, version, rest in re.findall(r"^([a-z0-9-]+)==(\S+)(.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("lock", [HOST_LOCK, BOX_LOCK, UV_LOCK], ids=lambda lock: lock.name)
def test_every_package_has_a_hash(lock: Path) -> None:
    pins = read_lock(lock)
    assert pins
    assert [name for name, (_, hashes) in pins.items() if not hashes] == []


@LOCKS
def test_no_cuda(lock: Path) -> None:
    pins = read_lock(lock)
    version, _ = pins["torch"]
    assert version.endswith("+cpu")
    assert [name for name in pins if re.match(r"nvidia|cuda|triton", name)] == []


@LOCKS
def test_no_addresses_or_paths_of_one_machine(lock: Path) -> None:
    assert re.findall(r"\w+://\S+|(?<![\w.])/\w\S*", lock.read_text()) == []


def test_a_box_runs_the_versions_of_the_host() -> None:
    host = read_lock(HOST_LOCK)
    assert [name for name, pin in read_lock(BOX_LOCK).items() if host.get(name) != pin] == []


def test_a_box_holds_what_box_in_asks_for_and_no_tools_of_ours() -> None:
    asked = {line for line in (DOCKER / "box.in").read_text().splitlines() if line and not line.startswith("#")}
    boxed = read_lock(BOX_LOCK).keys()
    assert asked <= boxed
    assert boxed.isdisjoint({"hydra-core", "pandas", "pyarrow", "docker", "pytest"})


@pytest.mark.parametrize("line", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
def test_the_host_lock_satisfies_pyproject(line: str) -> None:
    wanted = Requirement(line)
    version, _ = read_lock(HOST_LOCK)[re.sub(r"[-_.]+", "-", wanted.name).lower()]
    assert wanted.specifier.contains(version)
