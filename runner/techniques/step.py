"""Define what a step is, and find steps by name. A step transforms an artifact of one format into another.

To add a step, put one file into the folder of its kind and name it after the step: `onnx-export` is in
onnx/onnx_export.py. The file holds a dataclass that is derived from `Step` and decorated with `step("its-name")`. The
user's own steps are found by their names, too: see runner/store/plugins.py. The fields of the dataclass are the step's
YAML keys. `__post_init__` checks their values, and `infer_shape` checks them against the model's shape. `run` is called
inside a box. It imports heavy libraries itself, so that composing a config stays fast.
"""

from __future__ import annotations

import importlib
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from runner.config.task_kinds import CLASSIFIED, KINDS, RERANK, WHOLE
from runner.errors import UserError, did_you_mean
from runner.store.source_code import source_hash
from runner.techniques.shape import Shape, shape_of_checkpoint, shape_of_files

if TYPE_CHECKING:
    from runner.store.plugins import Plugin

PROGRESS = "progress.txt"  # in a step's output folder: the last line that the step reported
_ROOM = Path(__file__).parent
_MAKING = ("techniques", "engines", "models", "tasks")  # the rooms whose code affects an artifact


@dataclass(frozen=True)
class StepInputs:
    """What a step may read, as paths inside its box.

    Attributes:
        source: the files of the artifact that the step transforms; None for a step that takes nothing.
        texts: the task's folder with train.jsonl, validation.jsonl, test.jsonl and labels.json.
        threads: the number of CPU threads that the step may use.
        checkpoint: the last checkpoint before this step, for a step that `reads_tokenizer`.
        teacher: the checkpoint to learn from, for a step that `reads_teacher`.
        report: a function to which a long step passes a line about its progress from time to time.
    """

    source: Path | None
    texts: Path
    threads: int
    checkpoint: Path | None = None
    teacher: Path | None = None
    report: Callable[[str], None] = print


@dataclass
class Step(ABC):
    """One transformation of an artifact. The dataclass fields are its config."""

    name: ClassVar[str]
    takes: ClassVar[str | None]  # a format, "files" for a model's raw files, or None
    gives: ClassVar[str]
    allows_next: ClassVar[tuple[str, ...] | None] = None  # the steps that may follow; None: any whose format fits
    wraps: ClassVar[bool] = False  # True if its result contains its unchanged input: it may follow any step that fits
    needs_compiler: ClassVar[bool] = False  # a C++ compiler, which the image of the boxes does not have
    packages: ClassVar[tuple[str, ...]] = ()  # its imports that are not available for every machine
    changes_tokenizer: ClassVar[bool] = False
    other_kinds: ClassVar[str] = "Exclude this combination in the grid."  # the advice for a kind not in `kinds`
    takes_pairs: ClassVar[bool] = True  # False if its result cannot distinguish the texts of a pair
    keeps_flops: ClassVar[bool] = True  # True if its result has the last checkpoint's FLOPs, in any precision

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of task on which its result can be evaluated; see `runner.config.task_kinds`.

        By default, a step that reads texts or trains supports only the kinds that evaluate whole texts.
        """
        if self.first_token_only:
            return (*CLASSIFIED, RERANK)
        return WHOLE if self.reads_texts or self.reads_labels or self.reads_teacher else KINDS

    @property
    def reads_texts(self) -> bool:
        """Whether the task's texts are part of the artifact's key in the store."""
        return False

    @property
    def reads_labels(self) -> bool:
        """Whether the task must have labelled training texts. If so, they are part of the artifact's key, too."""
        return False

    @property
    def reads_tokenizer(self) -> bool:
        """Whether it needs the tokenizer of an earlier checkpoint because its source has none."""
        return False

    @property
    def first_token_only(self) -> bool:
        """Whether the last layer computes only the first token: then the weights overstate the number of operations."""
        return False

    @property
    def reads_teacher(self) -> bool:
        """Whether it learns from another checkpoint: the technique's teacher, or the uncompressed model."""
        return False

    @property
    def keeps_predictions(self) -> bool:
        """Whether its result computes the same float32 logits as its input, except for rounding."""
        return False

    @classmethod
    def gives_tokenizer(cls) -> bool:
        """Return whether its result holds config.json and tokenizer.json, which the steps after it may read."""
        return cls.gives == "checkpoint"

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that the step can transform a model of this shape, and return the shape of the result.

        Raises:
            UserError: if it cannot. The message names the key at fault, what the model has and what is allowed.
        """
        return shape

    def check_files(self, files: Path, texts: Path, where: str) -> list[str]:
        """Check a model's raw files against the task, as far as that is possible without loading the model.

        Args:
            files: the model's folder.
            texts: the task's folder.
            where: the model's name in errors.

        Returns:
            Remarks for the user on how the model and the task fit, one sentence each.

        Raises:
            UserError: if the model cannot be evaluated on the task.
        """
        return []

    @abstractmethod
    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the new artifact's files into the empty folder `target` and return notes for its lineage."""

    @classmethod
    def code(cls) -> str:
        """Return a hash over this step's module and every module it imports that affects the artifact."""
        source_file = inspect.getsourcefile(cls)
        assert source_file is not None
        return source_hash([Path(source_file)], _MAKING)


def run_step(step: Step, inputs: StepInputs, target: Path) -> dict[str, Any]:
    """Check the step against the model's files, which say more than its config, and run it.

    Raises:
        UserError: see `Step.infer_shape` and `Step.run`.
    """
    checkpoint = inputs.source if step.takes == "checkpoint" else inputs.checkpoint
    if checkpoint is not None:
        step.infer_shape(shape_of_checkpoint(checkpoint))
    elif step.takes in ("files", None):
        step.infer_shape(shape_of_files(inputs.source) if inputs.source else Shape())
    return step.run(inputs, target)


_CLASSES: dict[str, type[Step]] = {}
_DECORATED = re.compile(r'^@step\("([a-z0-9-]+)"\)$', re.MULTILINE)


@cache
def step_modules() -> dict[str, str]:
    """Return the module of each of Pinbox's own steps by the step's name, without importing anything."""
    files = [path for path in sorted(_ROOM.glob("*/*.py")) if _DECORATED.search(path.read_text(encoding="utf-8"))]
    return {path.stem.replace("_", "-"): f"{__package__}.{path.parent.name}.{path.stem}" for path in files}


def step(name: str) -> Callable[[type[Step]], type[Step]]:
    """Register a step under the name that YAML uses."""

    def register(cls: type[Step]) -> type[Step]:
        if name in step_modules() and not cls.__module__.startswith(f"{__package__}."):
            raise UserError(f"Pinbox has a step '{name}' already. Give yours another name.")
        cls.name = name
        _CLASSES[name] = cls
        return cls

    return register


def step_class(name: str, where: str) -> type[Step]:
    """Return the class of a step.

    Args:
        name: the step's name in YAML.
        where: the key at fault, for errors.

    Raises:
        UserError: if there is no such step, or if the plugin of that name cannot be imported or defines no such step.
    """
    if plugin := plugin_of(name):
        plugin.load()
        if name not in _CLASSES or _CLASSES[name].__module__ != plugin.module:
            raise UserError(f"{where}: {plugin.origin} has no step '{name}'. Decorate its class with step('{name}').")
        return _CLASSES[name]
    if name not in step_modules():
        from runner.store import plugins

        raise UserError(
            f"{where}: there is no step '{name}'. {did_you_mean(name, [*step_modules(), *plugins.names('steps')])}"
        )
    importlib.import_module(step_modules()[name])
    return _CLASSES[name]


def plugin_of(name: str) -> Plugin | None:
    """Return the plugin that a step comes from, or None for one of Pinbox's own steps."""
    from runner.store import plugins  # never reached in a box, where the request names the module

    return plugins.find("steps", name, step_modules())


def load_step_class(name: str, module: str | None) -> type[Step]:
    """Return the class of a step inside a box.

    Args:
        name: the step's name.
        module: the plugin's module, as Python imports it; None for one of Pinbox's own steps.
    """
    importlib.import_module(module or step_modules()[name])
    return _CLASSES[name]
