"""Assemble predict.py from templates: one common script, and parts for the input, the output and the engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from runner.config.task_kinds import EMBEDDING, TOKENS, VECTORS

_ROOM = Path(__file__).parent
_CHECKPOINT = _ROOM.parent / "engines" / "checkpoint.py"  # of Pinbox, it imports only _LEAN
_LEAN, _WHOLE = "from runner.engines.lean_transformers import transformers", "import transformers"
_STAND_INS = re.compile(r"\n(from runner\.export\.templates\.\w+ import .*\n)+")
_NUMPY = "import numpy as np"
_END = '\n\nif __name__ == "__main__":'


class _Part(NamedTuple):
    """A template, split into its docstring, its import lines and its functions."""

    usage: str
    imports: list[str]
    functions: str


def predict_script(engine: str, kind: str, pairs: bool) -> str:
    """Return predict.py.

    Args:
        engine: the name of the engine that runs the artifact.
        kind: the kind of the task; see `runner.config.task_kinds`.
        pairs: whether each input is a pair of texts.
    """
    common = _template("predict")
    takes = "pairs" if pairs else "words" if kind == TOKENS else "texts"
    gives = EMBEDDING if kind in VECTORS else kind
    parts = [_part(name) for name in (takes, gives.replace("-", "_"), engine)]
    runtime = {line for part in parts for line in part.imports if line.startswith("import ") and line not in common}
    usage = "\n\n".join(part.usage for part in parts if part.usage)
    functions = "\n\n".join(part.functions for part in parts)
    return (
        _STAND_INS.sub("", common)
        .replace('"""\n', f'\n\n{usage}\n"""\n', 1)
        .replace(_NUMPY, "\n".join(sorted([_NUMPY, *runtime])))
        .replace(_END, f"\n\n{functions}{_END}")
        .replace("runner.engines.checkpoint", "checkpoint")
    )


def own_modules(script: str) -> dict[str, str]:
    """Return the modules that the script imports from its own folder, by file name."""
    needed = "from checkpoint import" in script
    return {_CHECKPOINT.name: _CHECKPOINT.read_text(encoding="utf-8").replace(_LEAN, _WHOLE)} if needed else {}


def _part(name: str) -> _Part:
    head, _, functions = _template(name).partition("\n\n\n")
    _, usage, imports = head.split('"""') if '"""' in head else ("", "", head)
    return _Part(usage.strip(), imports.splitlines(), functions)


def _template(name: str) -> str:
    return (_ROOM / "templates" / f"{name}.py").read_text(encoding="utf-8")
