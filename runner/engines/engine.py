"""Define what an engine is. A trial imports one engine, the standard library and numpy, and nothing else.

To add an engine, put a module with a class `Engine` as below into this folder, and name it in `FORMATS`. A user's own
engine names the format that it loads, as FORMAT = "onnx", and is found by its name: see runner/store/plugins.py.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from runner.models.inputs import INPUTS

if TYPE_CHECKING:
    import numpy as np

FORMATS = {  # by the name of the engine and its module: the format that it loads
    "torch": "checkpoint",
    "torch_compile": "checkpoint",
    "torchscript": "torchscript",
    "aot_inductor": "pt2",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "llamacpp": "gguf",
}
NEED_A_COMPILER = ("torch_compile",)  # they need a C++ compiler where they run; the image of the boxes has none
PACKAGES = {  # their imports that are not available for every machine
    "openvino": ("openvino",),
    "llamacpp": ("xllamacpp",),
}
NOT_IN_THE_IMAGE = ("xllamacpp",)  # because it is large; an extra of pyproject.toml installs it for process boxes
Input = TypeVar("Input")


class Engine(Protocol):
    """A loaded model. Importing the module is the import phase, and `__init__` is the load phase."""

    def __init__(self, artifact: Path, threads: int) -> None:
        """Load the artifact to run it on `threads` threads."""

    def prepare(self, *inputs: np.ndarray) -> Any:
        """Turn a batch of int64 [batch, length] inputs (see `named`) into the argument of `run`. It is timed."""

    def run(self, batch: Any) -> Any:
        """Run one inference call. It is timed, and allocates only what the runtime itself allocates."""

    def logits(self, output: Any) -> np.ndarray:
        """Turn an output of `run` into float32 logits. It is not timed.

        Logits are [batch, labels], or [batch, length, labels] if the model classifies tokens.
        """

    def describe(self) -> dict[str, Any]:
        """Return library versions, threads and instruction set as they really are, as far as reading them is fast."""

    def precision(self, batch: Any) -> str | None:
        """Return the precision of products with weights, or None if it cannot be found. A trial does not call it.

        It is read from what the runtime really has or runs, not from what was requested. `batch` is an output of
        `prepare`.
        """


def import_engine(name: str, plugin: str | None = None) -> type[Engine]:
    """Import an engine's module, which imports its runtime, and return its class.

    Args:
        name: the engine's name.
        plugin: the engine's module, if the engine is the user's own.
    """
    engine: type[Engine] = importlib.import_module(plugin or f"runner.engines.{name}").Engine
    return engine


def named(inputs: Iterable[Input]) -> dict[str, Input]:
    """Return the inputs of a call by their names, as every model takes them.

    Args:
        inputs: all inputs, or the first ones, in the order of `INPUTS`.
    """
    return dict(zip(INPUTS, inputs, strict=False))


def check_inputs(names: Iterable[str], artifact: Path) -> None:
    """Check that a loaded artifact's inputs have the names by which every model is called.

    Raises:
        ValueError: if a name is not in `INPUTS`, or if one of the first two is missing.
    """
    names = [*names]
    if not set(INPUTS[:2]) <= set(names) <= set(INPUTS):
        raise ValueError(
            f"{artifact.name} takes the inputs {', '.join(names) or 'none'}, but a model is called with "
            f"{', '.join(INPUTS[:2])} and, if it takes them, {INPUTS[2]}. Export it again with inputs of these names."
        )


def main_precision(work: Mapping[str, float]) -> str | None:
    """Return the precisions that do at least a tenth of the work each, joined by +. None if there is no work.

    Args:
        work: the amount of work in each precision, in FLOPs, weights or layers.
    """
    total = sum(work.values())
    if not total:
        return None
    return "+".join(sorted(name for name, part in work.items() if part / total >= 0.1))
