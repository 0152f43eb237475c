"""The wheel and the source distribution: what is in them, and that the command works far from the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.package
_NOT_OURS = shutil.ignore_patterns(".*", "outputs", "build", "dist", "*.egg-info", "__pycache__")
_BUILD = "import sys; from setuptools import build_meta as b; getattr(b, f'build_{sys.argv[1]}')(sys.argv[2])"


def build(kind: str, source: Path, to: Path) -> Path:
    """Build a wheel or an sdist from the sources in a folder."""
    command = [sys.executable, "-c", _BUILD, kind, str(to)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    (built,) = to.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources") / "pinbox"
    shutil.copytree(ROOT, folder, ignore=_NOT_OURS)
    for name in (".ci", ".github"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", sources, tmp_path_factory.mktemp("wheel"))


Pinbox = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def pinbox(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Pinbox:
    """Run the command of the installed wheel in a given folder; the repository is nowhere to be found."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(site / "bin" / "pinbox"), *arguments]
        settings = environment | {"PYTHONPATH": str(site), "XDG_CACHE_HOME": str(folder / "cache")}
        return subprocess.run(
            command, cwd=folder, env=settings, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )

    return run


def test_the_wheel_holds_the_configs_and_what_builds_the_image(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        entry_points = ConfigParser()
        entry_points.read_string(
            archive.read(next(n for n in archive.namelist() if n.endswith("entry_points.txt"))).decode()
        )
        dockerfile = archive.read("pinbox/docker/Dockerfile")
    assert entry_points["console_scripts"]["pinbox"] == "runner.cli.pinbox:main"
    assert dockerfile == (ROOT / "docker" / "Dockerfile").read_bytes()
    configs = {f"pinbox/{path.relative_to(ROOT)}" for path in (ROOT / "conf").rglob("*.yaml")}
    scripts = ["Dockerfile", "box.lock", "uv.lock", "engine.sh"]
    scripts += [f"{name}.py" for name in ("base", "common", "image", "packages", "published")]
    scripts += [path.name for path in (ROOT / "docker").glob("published.json*")]
    scripts += [path.name for path in (ROOT / "docker").glob("allowed_signers")]
    assert {name for name in names if name.startswith("pinbox/")} == configs | {f"pinbox/docker/{n}" for n in scripts}
    code = {str(path.relative_to(ROOT)) for folder in ("runner", "hydra_plugins") for path in files(ROOT / folder)}
    assert names - {name for name in names if name.startswith("pinbox/")} == code


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


@pytest.mark.slow
def test_the_source_distribution_gives_the_same_wheel(sources: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", sources, tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert {"Makefile", "tests", "docs", ".ci"} <= {path.name for path in unpacked.iterdir()}
    (tmp_path / "wheel").mkdir()
    with zipfile.ZipFile(build("wheel", unpacked, tmp_path / "wheel")) as again, zipfile.ZipFile(wheel) as first:
        assert {one.filename: one.CRC for one in again.infolist() if "dist-info" not in one.filename} == {
            one.filename: one.CRC for one in first.infolist() if "dist-info" not in one.filename
        }


def test_without_a_verb_it_prints_help(pinbox: Pinbox, tmp_path: Path) -> None:
    plain = pinbox(tmp_path)
    assert plain.returncode == 0
    assert "sweep" in plain.stdout
    assert pinbox(tmp_path, "--help").stdout == plain.stdout


def test_a_job_is_composed_in_an_empty_folder(pinbox: Pinbox, tmp_path: Path) -> None:
    done = pinbox(tmp_path, "run", "model=tiny", "task=alice", "technique=onnx-int8", "--cfg", "job", "--resolve")
    assert done.returncode == 0, done.stderr
    assert "onnx-dynamic-int8" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_user_s_own_configs_are_found(pinbox: Pinbox, tmp_path: Path) -> None:
    assert pinbox(tmp_path, "init").returncode == 0
    *_, grids = pinbox(tmp_path, "sweep", "--help").stdout.splitlines()
    assert "mine" in grids.split(", ")
    done = pinbox(tmp_path, "sweep", "grid=mine", "technique=none", "isolation=process")
    assert done.returncode == 2
    assert "There is no technique 'none'" in done.stderr
    assert ", mine, " in done.stderr
    assert "outputs" not in {path.name for path in tmp_path.iterdir()}


@pytest.mark.docker
def test_the_image_is_found_by_its_tag(pinbox: Pinbox, tmp_path: Path) -> None:
    done = pinbox(tmp_path, "image")
    assert done.returncode == 0, done.stderr
    assert "image: pinbox:" in done.stdout
