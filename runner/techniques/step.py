"""Steps: each file here transforms an artifact of one format into one of another.

To add a step: one file in the folder of its kind, named as the step is (`onnx-export` is in onnx/onnx_export.py), with
a dataclass that is derived from `Step` and decorated with `step("its-name")`. (A step of the user's own is found by its
name, too: see runner/store/plugins.py.) The fields of the dataclass are the step's YAML keys. They are checked in
`__post_init__`, and against the model's shape in `infer_shape`. `run` happens inside a box. It imports heavy libraries
itself, so that composing a config stays light.
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

from runner.config.task_kinds import CLASSIFIED, KINDS, WHOLE
from runner.errors import UserError, did_you_mean
from runner.store.source_code import source_hash
from runner.techniques.shape import Shape, shape_of_checkpoint, shape_of_files

if TYPE_CHECKING:
    from runner.store.plugins import Plugin

PROGRESS = "progress.txt"  # in a step's output folder: the last line that it told
_ROOM = Path(__file__).parent
_MAKING = ("techniques", "engines", "models", "tasks")  # the rooms whose code shapes an artifact


@dataclass(frozen=True)
class StepInputs:
    """What a step may read, as paths inside its box.

    Attributes:
        source: the files of the artifact it transforms (None for a step that takes nothing).
        texts: the task's folder with train.jsonl, validation.jsonl, test.jsonl and labels.json.
        threads: CPU threads it may use.
        checkpoint: the last checkpoint before this step, for a step that `reads_tokenizer`.
        teacher: a checkpoint to learn from, for a step that `reads_teacher`.
        tell: is told in a line, now and then, how far a long step is.
    """

    source: Path | None
    texts: Path
    threads: int
    checkpoint: Path | None = None
    teacher: Path | None = None
    tell: Callable[[str], None] = print


@dataclass
class Step(ABC):
    """One transformation of an artifact. The dataclass fields are its config."""

    name: ClassVar[str]
    takes: ClassVar[str | None]  # a format, "files" for a model's raw files, or None
    gives: ClassVar[str]
    allows_next: ClassVar[tuple[str, ...] | None] = None  # the steps that may come after it; None: any that fits
    wraps: ClassVar[bool] = False  # what it is given stays as it is inside, so it may come after any step that fits
    needs_compiler: ClassVar[bool] = False  # of C++; the image of the boxes has none
    changes_tokenizer: ClassVar[bool] = False
    other_kinds: ClassVar[str] = "Exclude the two from meeting in the grid."  # what to do for a kind not in `kinds`
    takes_pairs: ClassVar[bool] = True  # False if its result cannot tell the texts of a pair apart
    keeps_flops: ClassVar[bool] = True  # of the checkpoint that it transforms, if only in another precision

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of task that its result can be evaluated on; see `runner.config.task_kinds`.

        A step that reads texts or learns takes whole texts, unless it says otherwise.
        """
        if self.first_token_only:
            return CLASSIFIED
        return WHOLE if self.reads_texts or self.reads_labels or self.reads_teacher else KINDS

    @property
    def reads_texts(self) -> bool:
        """Whether the task's texts are part of its key in the store."""
        return False

    @property
    def reads_labels(self) -> bool:
        """Whether the task must have labelled training texts; then they are part of its key too."""
        return False

    @property
    def reads_tokenizer(self) -> bool:
        """Whether it needs the tokenizer of a checkpoint that its own source does not hold."""
        return False

    @property
    def first_token_only(self) -> bool:
        """Whether it leaves of the last layer only what the first token needs: fewer operations than weights tell."""
        return False

    @property
    def reads_teacher(self) -> bool:
        """Whether it learns from another checkpoint: the technique's teacher, else the model before the technique."""
        return False

    @property
    def keeps_predictions(self) -> bool:
        """Whether its result computes the same logits in float32 as what it takes, but for rounding."""
        return False

    def infer_shape(self, shape: Shape) -> Shape:
        """Check that a model of this shape can be so transformed, and return the shape that it then has.

        Raises:
            UserError: if not, naming the key at fault, what the model has, and what is allowed.
        """
        return shape

    def check_files(self, files: Path, texts: Path, where: str) -> list[str]:
        """Check a model's raw files against the task, as far as can be told without loading them.

        Args:
            files: the model's folder.
            texts: the task's folder.
            where: names the model in errors.

        Returns:
            What a person should know of how the two fit, a sentence each.

        Raises:
            UserError: if the model cannot be evaluated on the task.
        """
        return []

    @abstractmethod
    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Write the new artifact's files into the empty folder `target`; return notes for its lineage."""

    @classmethod
    def code(cls) -> str:
        """Return the hash of this step's module and of all that it imports to make an artifact."""
        own = inspect.getsourcefile(cls)
        assert own is not None
        return source_hash([Path(own)], _MAKING)


def run_step(step: Step, inputs: StepInputs, target: Path) -> dict[str, Any]:
    """Check the step against the model itself, of which less may have been known before, and run it.

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
    """Return the module of each of Pinbox's own steps, by the step's name: nothing is imported."""
    files = [path for path in sorted(_ROOM.glob("*/*.py")) if _DECORATED.search(path.read_text(encoding="utf-8"))]
    return {path.stem.replace("_", "-"): f"{__package__}.{path.parent.name}.{path.stem}" for path in files}


def step(name: str) -> Callable[[type[Step]], type[Step]]:
    """Register a step under the name that YAML uses."""

    def register(cls: type[Step]) -> type[Step]:
        if name in step_modules() and not cls.__module__.startswith(f"{__package__}."):
            raise UserError(f"There is a step '{name}' of Pinbox's own. Give yours another name.")
        cls.name = name
        _CLASSES[name] = cls
        return cls

    return register


def step_class(name: str, where: str) -> type[Step]:
    """Return the class of a step.

    Raises:
        UserError: if there is no such step, or a module of the user's own cannot be imported or has none of that name.
            `where` names the key at fault.
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
    """Return the plugin that a step comes from, None for one of Pinbox's own."""
    from runner.store import plugins  # not in a box: there it is given what it needs

    return plugins.find("steps", name, step_modules())


def load_step_class(name: str, module: str | None) -> type[Step]:
    """Return the class of a step, inside a box.

    Args:
        name: of the step.
        module: of a plugin, as Python imports it; None for one of Pinbox's own.
    """
    importlib.import_module(module or step_modules()[name])
    return _CLASSES[name]
