"""Which Python the set-up takes: that of .venv, or else the newest that is there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import environment
import pytest
from common import ROOT

PYTHON = "#!/bin/sh\nexec '{real}' -c \"import sys; sys.version_info = (3, {minor}, 0, 'final', 0); $2\"\n"


def chosen(folder: Path, *names: str, **pythons: int) -> str:
    """Return what make takes as PYTHON where these programs are Pythons of these minor versions."""
    for name, minor in pythons.items():
        program = folder / name.replace("_", ".")
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(PYTHON.format(real=sys.executable, minor=minor))
        program.chmod(0o755)
    # What `make` itself needs; all Pythons of this machine are out of sight.
    for tool in ("sh", "echo", "tr"):
        (folder / tool).symlink_to(Path("/bin") / tool)
    show = "--eval=show: ; @echo '$(PYTHON)'"
    make = ["/usr/bin/make", "--no-print-directory", "--file", str(ROOT / "Makefile"), show, "show", *names]
    done = subprocess.run(make, cwd=folder, env={"PATH": str(folder)}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_make_takes_the_newest_python(tmp_path: Path) -> None:
    assert chosen(tmp_path, python3_11=11, python3_13=13, python3=11) == "python3.13"


def test_make_takes_no_python_that_pinbox_does_not_know(tmp_path: Path) -> None:
    assert chosen(tmp_path, python3=15, python=10) == ""


def test_make_stays_with_the_python_of_the_environment(tmp_path: Path) -> None:
    assert chosen(tmp_path, **{".venv/bin/python": 12, "python3_13": 13}) == ".venv/bin/python"


def test_an_environment_of_another_python_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch()
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "PYTHON", python)
    (tmp_path / "lib" / "python3.10").mkdir(parents=True)
    assert not environment.is_of_this_python()
    (tmp_path / "lib" / f"python3.{sys.version_info.minor}").mkdir()
    assert environment.is_of_this_python()
    python.unlink()
    assert not environment.is_of_this_python()


@pytest.mark.parametrize("asked", ["", "PYTHON=python3.12", "TORCH=pypi"])
def test_an_environment_that_is_there_is_gone_through_again_when_asked(tmp_path: Path, asked: str) -> None:
    for name in ("docker/host.lock", "pyproject.toml", ".venv/.ready"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "TORCH", "MAKEFLAGS")}
    command = ["make", "--dry-run", "setup", *filter(None, [asked])]
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True)
    assert ("docker/environment.py" in done.stdout) == bool(asked)
