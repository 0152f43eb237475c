"""predict.py: one script for all engines, and of each engine how it loads the model."""

from __future__ import annotations

from pathlib import Path

_ROOM = Path(__file__).parent
_CHECKPOINT = _ROOM.parent / "engines" / "checkpoint.py"  # imports nothing of ours, so it goes along as it is
_STAND_IN = "\nfrom runner.export.templates.onnxruntime import load\n"
_NUMPY = "import numpy as np"
_END = '\n\nif __name__ == "__main__":'


def predict_script(engine: str) -> str:
    """Return predict.py for the artifacts that an engine runs."""
    common = _template("predict")
    imports, _, load = _template(engine).partition("\n\n\n")
    runtime = [line for line in imports.splitlines() if line.startswith("import ") and line not in common]
    return (
        common.replace(_STAND_IN, "")
        .replace(_NUMPY, "\n".join(sorted([_NUMPY, *runtime])))
        .replace(_END, f"\n\n{load}{_END}")
        .replace("runner.engines.checkpoint", "checkpoint")
    )


def own_modules(script: str) -> dict[str, str]:
    """Return the modules that the script imports from its own folder, by file name."""
    needed = "from checkpoint import" in script
    return {_CHECKPOINT.name: _CHECKPOINT.read_text(encoding="utf-8")} if needed else {}


def _template(name: str) -> str:
    return (_ROOM / "templates" / f"{name}.py").read_text(encoding="utf-8")
