"""What a real bash completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
# A shell that nobody types in splits no line into words, and has no `compopt`.
SCRIPT = """
compopt() { printf "compopt %s %s\\n" "$@"; }
eval "$(_PINBOX_COMPLETE=bash_source pinbox)"
complete -p pinbox
while read -r line; do
  read -ra COMP_WORDS <<<"$line"
  [[ $line == *+ ]] && COMP_WORDS[-1]=""
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  COMPREPLY=()
  _pinbox_completion pinbox
  echo "$line -> ${COMPREPLY[*]}"
done
"""
TYPED = {
    "pinbox re": "report recommend reproduce",
    "pinbox sweep --f": "--fresh",
    "pinbox sweep --retry +": "failed",
    "pinbox sweep --launcher s": "slurm",
    "pinbox report out": "outputs/demo outputs/smoke",
    "pinbox diff outputs/demo outputs/s": "outputs/smoke",
    "pinbox recommend outputs/demo --max-d": "--max-disk-mb",
    "pinbox diff --fail-on s": "slower",
    "pinbox search --model t": "tiny",
    "pinbox search --techniques onnx,torch-e": "onnx,torch-eager",
    "pinbox export outputs/demo torch-e": "torch-eager",
    "pinbox sweep grid=sm": "grid=smoke",
    "pinbox sweep grid=smoke technique=torch-e": "technique=torch-eager",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two sweeps, and a `pinbox` on the path of this process's Python."""
    for name in ("demo", "smoke"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / "plan.json").touch()
    (tmp_path / "outputs" / "store").mkdir()
    command = tmp_path / "bin" / "pinbox"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m runner.cli "$@"\n')
    command.chmod(0o755)
    return tmp_path


def complete(folder: Path, *lines: str) -> list[str]:
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", SCRIPT],
        cwd=folder,
        env=environment,
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_bash_completes_verbs_options_names_sweeps_and_overrides(folder: Path) -> None:
    first, *said = complete(folder, *TYPED)
    assert first == "complete -o nosort -F _pinbox_completion pinbox"
    assert dict(line.split(" -> ") for line in said) == TYPED


def test_a_key_is_followed_by_no_space_and_a_path_is_left_to_the_shell(folder: Path) -> None:
    _, *said = complete(folder, "pinbox sweep workload.pad", "pinbox report elsewhere/")
    assert said == [
        "compopt -o nospace",
        "pinbox sweep workload.pad -> workload.padding=",
        "compopt -o default",
        "pinbox report elsewhere/ -> ",
    ]
