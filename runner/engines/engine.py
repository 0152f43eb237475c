"""Engines: one file per inference runtime, which is all that a trial imports besides the standard library and numpy.

To add an engine: one module here with a class `Engine` as below, named in `FORMATS`. (A user's own says by itself which
format it loads, as FORMAT = "onnx", and is found by its name, see runner/store/plugins.py.)
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from runner.models.inputs import INPUTS

if TYPE_CHECKING:
    import numpy as np

FORMATS = {  # engine (and module) -> the format it loads
    "torch": "checkpoint",
    "torch_compile": "checkpoint",
    "torchscript": "torchscript",
    "aot_inductor": "pt2",
    "onnxruntime": "onnx",
    "openvino": "openvino",
}
NEED_A_COMPILER = ("torch_compile",)  # of C++, wherever they run; the image of the boxes has none
Input = TypeVar("Input")


class Engine(Protocol):
    """A loaded model. Importing the module is the import phase, `__init__` the load phase."""

    def __init__(self, artifact: Path, threads: int) -> None:
        """Load the artifact, to run on `threads` threads."""

    def prepare(self, *inputs: np.ndarray) -> Any:
        """Turn one batch (int64 [batch, length] each, see `named`) into what `run` takes; not timed."""

    def run(self, batch: Any) -> Any:
        """One inference call; timed. Allocates only what the runtime itself allocates."""

    def logits(self, output: Any) -> np.ndarray:
        """Turn an output of `run` into float32 logits [batch, labels], of words [batch, length, labels]; not timed."""

    def describe(self) -> dict[str, Any]:
        """Return what is really in use, as far as that costs nothing: library versions, threads, instruction set."""

    def precision(self, batch: Any) -> str | None:
        """Return what matrix products with weights are computed in, None if that cannot be told; not for a trial.

        Read from what the runtime really has or runs (on `batch`, as made by `prepare`), not from what was asked for.
        """


def import_engine(name: str, plugin: str | None = None) -> type[Engine]:
    """Import an engine's module, and with it its runtime.

    Args:
        name: of the engine.
        plugin: the module, if it is the user's own.
    """
    engine: type[Engine] = importlib.import_module(plugin or f"runner.engines.{name}").Engine
    return engine


def named(inputs: Iterable[Input]) -> dict[str, Input]:
    """Return the inputs of a call by their names, which is how every model is called.

    Args:
        inputs: in the order of `INPUTS`, the first ones or all.
    """
    return dict(zip(INPUTS, inputs, strict=False))


def check_inputs(names: Iterable[str], artifact: Path) -> None:
    """Check the names that a loaded artifact gives its inputs: a call by names could reach no other.

    Raises:
        ValueError: if they are not those of `INPUTS`, of which the first two must be there.
    """
    found = [*names]
    if not set(INPUTS[:2]) <= set(found) <= set(INPUTS):
        raise ValueError(
            f"{artifact.name} takes the inputs {', '.join(found) or 'none'}, but a model is called with "
            f"{', '.join(INPUTS[:2])} and, if it takes them, {INPUTS[2]}. Export it again with inputs of these names."
        )


def main_precision(work: Mapping[str, float]) -> str | None:
    """Return the precision that nine tenths of the work are done in; of mixed work all that have a tenth, joined by +.

    Args:
        work: of each precision, how much: FLOPs, weights, or layers.
    """
    total = sum(work.values())
    if not total:
        return None
    return "+".join(sorted(name for name, part in work.items() if part / total >= 0.1))
