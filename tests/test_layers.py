"""The layers contract of pyproject.toml, which `make lint` checks, finds an import that it forbids."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UPWARD = "\n\ndef upward() -> None:\n    from runner.report import write\n\n    print(write)\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the code and of the contract."""
    for folder in ("runner", "hydra_plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def check_contract(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=tree, env={"PYTHONPATH": str(tree)}, capture_output=True, text=True)


def test_it_holds(tree: Path) -> None:
    checked = check_contract(tree)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_lazy_upward_import_breaks_it(tree: Path) -> None:
    module = tree / "runner" / "store" / "locks.py"
    module.write_text(module.read_text() + UPWARD)
    checked = check_contract(tree)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "runner.store.locks -> runner.report.write" in checked.stdout.replace("\n", " ")
