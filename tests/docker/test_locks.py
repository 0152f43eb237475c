"""The lock files: hashed, in agreement with each other and with pyproject.toml, and free of CUDA."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from wheelhouse import BOX_LOCK, HOST_LOCK, Pin, read_lock, requirement
from workshop import DOCKER, ROOT, SetupError

LOCKS = pytest.mark.parametrize("lock", [HOST_LOCK, BOX_LOCK], ids=lambda lock: lock.name)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@LOCKS
def test_every_package_has_a_hash(lock: Path) -> None:
    pins = read_lock(lock)
    assert pins
    assert [pin.name for pin in pins.values() if not pin.hashes] == []


@LOCKS
def test_no_cuda(lock: Path) -> None:
    pins = read_lock(lock)
    assert pins["torch"].version.endswith("+cpu")
    assert [name for name in pins if re.match(r"nvidia|cuda|triton", name)] == []


@LOCKS
def test_no_addresses_or_paths_of_one_machine(lock: Path) -> None:
    assert re.findall(r"\w+://\S+|(?<![\w.])/\w\S*", lock.read_text()) == []


def test_a_box_runs_the_versions_of_the_host() -> None:
    host = read_lock(HOST_LOCK)
    differ = [pin.name for pin in read_lock(BOX_LOCK).values() if host.get(pin.name) != pin]
    assert differ == []


def test_a_box_holds_what_box_in_asks_for_and_no_tools_of_ours() -> None:
    asked = {line for line in (DOCKER / "box.in").read_text().splitlines() if line and not line.startswith("#")}
    boxed = read_lock(BOX_LOCK).keys()
    assert asked <= boxed
    assert boxed.isdisjoint({"hydra-core", "pandas", "pyarrow", "docker", "pytest"})


@pytest.mark.parametrize("line", PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
def test_the_host_lock_satisfies_pyproject(line: str) -> None:
    wanted = Requirement(line)
    pin = read_lock(HOST_LOCK)[re.sub(r"[-_.]+", "-", wanted.name).lower()]
    assert wanted.specifier.contains(pin.version)


def test_a_broken_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse.ROOT", tmp_path)
    lock = tmp_path / "box.lock"
    lock.write_text("torch>=2\n")
    with pytest.raises(SetupError, match=r"box\.lock: cannot read `torch>=2`.*make lock"):
        read_lock(lock)


def test_one_package_as_a_requirement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse.CACHE", tmp_path)
    text = requirement(Pin("idna", "3.20", ("ab", "cd"))).read_text()
    assert text == "idna==3.20 --hash=sha256:ab --hash=sha256:cd\n"
