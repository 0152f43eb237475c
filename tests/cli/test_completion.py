"""What a real bash completes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
SCRIPT = f"""
pinbox() {{ {sys.executable} -m runner.cli "$@"; }}
compopt() {{ :; }}  # knows only a completion that a keyboard asked for
eval "$(pinbox completion bash)"
complete -p pinbox
while read -r line; do
  COMP_LINE=$line COMP_POINT=${{#line}}
  COMPREPLY=()
  _pinbox
  echo "$line -> ${{COMPREPLY[*]}}"
done
"""


def test_bash_completes_verbs_and_overrides() -> None:
    typed = "pinbox re\npinbox sweep grid=s\npinbox sweep grid=smoke workload.pad\npinbox report out\n"
    done = subprocess.run(
        ["bash", "-c", SCRIPT], cwd=ROOT, input=typed, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -F _pinbox pinbox",
        "pinbox re -> report recommend reproduce",
        "pinbox sweep grid=s -> grid=seed grid=smoke",
        "pinbox sweep grid=smoke workload.pad -> workload.padding=",
        "pinbox report out -> ",
    ]
