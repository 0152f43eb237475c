"""The lock files: hashed, in agreement with each other and with pyproject.toml, and free of CUDA unless asked for."""

import re
import tomllib
from pathlib import Path

import pytest
from common import DOCKER, NEWEST_PYTHON, OLDEST_PYTHON, ROOT
from locks import TORCH_FILES
from packages import BOX_LOCK, HOST_LOCK, PYPI_TORCH_LOCK, UV_LOCK, entries
from packaging.requirements import Requirement

LOCKS = pytest.mark.parametrize("lock", [HOST_LOCK, BOX_LOCK], ids=lambda lock: lock.name)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_lock(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Return the version and the hashes of each package of a lock file."""
    return {
        name: (entry.split()[0].partition("==")[2], re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
        for name, entry in entries(lock).items()
    }


@pytest.mark.parametrize("lock", [HOST_LOCK, BOX_LOCK, PYPI_TORCH_LOCK, UV_LOCK], ids=lambda lock: lock.name)
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
def test_torch_is_locked_for_every_python_and_architecture(lock: Path) -> None:
    version, hashes = read_lock(lock)["torch"]
    files = dict(reversed(line.split()) for line in TORCH_FILES.read_text().splitlines())
    assert {*hashes} == {*files.values()}
    assert {*files} == {
        f"torch-{version}-cp3{minor}-cp3{minor}-manylinux_2_28_{machine}.whl"
        for minor in range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1)
        for machine in ("x86_64", "aarch64")
    }


def test_torch_of_pypi_is_the_same_version_and_brings_only_what_the_host_lacks() -> None:
    pypi, host = read_lock(PYPI_TORCH_LOCK), read_lock(HOST_LOCK)
    assert f"{pypi['torch'][0]}+cpu" == host["torch"][0]
    assert pypi.keys() & host.keys() == {"torch"}


def test_every_place_that_names_pythons_names_the_same() -> None:
    minors = range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1)
    assert PROJECT["requires-python"] == f">=3.{minors[0]},<3.{minors[-1] + 1}"
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python" in line]
    assert named == [f"3.{minor}" for minor in minors]
    makefile = (ROOT / "Makefile").read_text()
    assert " ".join(f"python3.{minor}" for minor in reversed(minors)) in makefile
    assert f"{OLDEST_PYTHON} <= sys.version_info[:2] <= {NEWEST_PYTHON}" in makefile


@LOCKS
def test_no_addresses_or_paths_of_one_machine(lock: Path) -> None:
    assert re.findall(r"\w+://\S+|(?<![\w.])/\w\S*", lock.read_text()) == []


def test_a_box_runs_the_versions_of_the_host() -> None:
    host = read_lock(HOST_LOCK)
    assert [name for name, pin in read_lock(BOX_LOCK).items() if host.get(name) != pin] == []


def test_a_box_holds_what_box_in_asks_for_and_no_tools_of_ours() -> None:
    lines = [line for line in (DOCKER / "box.in").read_text().splitlines() if line and not line.startswith("#")]
    asked = {Requirement(line).name for line in lines}
    boxed = read_lock(BOX_LOCK).keys()
    assert asked <= boxed
    assert boxed.isdisjoint({"hydra-core", "pandas", "pyarrow", "docker", "pytest"})


_EXTRAS = PROJECT["optional-dependencies"]
_DEV = [line for line in [*_EXTRAS["llamacpp"], *_EXTRAS["dev"]] if not line.startswith("pinbox[")]


@pytest.mark.parametrize("line", PROJECT["dependencies"] + _DEV)
def test_the_host_lock_satisfies_pyproject(line: str) -> None:
    wanted = Requirement(line)
    version, _ = read_lock(HOST_LOCK)[re.sub(r"[-_.]+", "-", wanted.name).lower()]
    assert wanted.specifier.contains(version)
