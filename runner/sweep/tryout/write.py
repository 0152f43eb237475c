"""Write the YAML of a sweep in a form that a person can read and edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.sweep.tryout.grid import BASELINE, Choice
from runner.sweep.tryout.guess import OWN_TEXTS
from runner.sweep.tryout.model import OwnModel

GRID = "try"  # the name of the file in conf/grid
_WRITTEN_BY = "# Written by: "


def model_yaml(model: OwnModel, steps: Sequence[Mapping[str, Any]]) -> str:
    """Return the content of conf/model/NAME.yaml."""
    source, config = model.config.source, model.config
    named = {"kind": source.kind.value if source.kind else None, "hub_id": source.hub_id, "revision": source.revision}
    lines = [
        f"# {model.architecture}, {model.size}.",
        _line("name", config.name, "in tables and reports"),
        _line("family", config.family),
        _line("source", {key: value for key, value in named.items() if value is not None}),
        *([_line("path", config.path)] if source.hub_id is None else []),
        "steps:",
        *(f"  - {_flow(dict(step))}" for step in steps),
    ]
    return "\n".join(lines) + "\n"


def task_yaml(task: TaskConfig, rows: str) -> str:
    """Return the content of conf/task/NAME.yaml: the main keys, and every key that differs from its default.

    Args:
        task: the task.
        rows: how many texts the file has, in words.
    """
    notes = {
        "name": "in tables and reports",
        "label_column": "or null: then accuracy is not known",
        "kind": "or single-label, multi-label, embedding, tokens",
        "max_test_texts": "a fair sample; null evaluates all",
    }
    shown = {"name", "source", "kind", "label_column"} | ({"text_column"} if task.source != OWN_TEXTS else set())
    lines = [f"# {rows}"]
    plain = TaskConfig()
    for field in fields(task):
        value = getattr(task, field.name)
        if field.name in shown or value != getattr(plain, field.name):
            lines.append(_line(field.name, value.value if isinstance(value, Enum) else value, notes.get(field.name)))
    return "\n".join(lines) + "\n"


def grid_yaml(model: str, task: str, choice: Choice, max_length: int, written_by: str, command: str) -> str:
    """Return the content of conf/grid/NAME.yaml.

    Args:
        model, task: names of the files beside it.
        choice: what to run.
        max_length: the number of tokens to which a text is cut.
        written_by: the command that wrote it.
        command: the command that runs it.
    """
    techniques = "".join(f"        - {name}\n" for name in choice.techniques)
    of_graph = choice.techniques[0] != BASELINE
    unchecked = (
        "      control_texts: 0 # transformers, which usually checks predictions, cannot load it\n" if of_graph else ""
    )
    baseline = f"  baseline: {choice.techniques[0]}\n" if of_graph else ""
    cut = f"workload:\n  max_length: {max_length} # tokens, to which a text is cut\n"
    return f"""# @package _global_
{_WRITTEN_BY}{written_by}
# The first line must stay. This command runs the grid, and goes on after every change of it:
#   {command}
defaults:
  - override /model: {_flow(model)} # conf/model beside this folder
  - override /task: {_flow(task)}
  - override /workload: online # one text in each call
  - override /measure: {choice.measure} # or default, thorough: more rounds, narrower intervals
{cut}measure:
  peaks: false # true also compares with the machine's top speed
grid:
{baseline}  union: # `pinbox sweep --help` lists all techniques
    - technique:
{techniques}      threads: {_flow(choice.threads)}
{unchecked}"""


def write_conf(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files below a folder.

    Args:
        folder: the folder conf/; it is made if it does not exist.
        contents: the content of each file by its path, such as grid/mine.yaml.

    Raises:
        UserError: if they cannot be written.
    """
    try:
        for name, content in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}. Name another folder with --out.") from None


def is_written(folder: Path, written_by: str) -> bool:
    """Return whether a folder holds a grid that the same command wrote, even if it was edited since.

    Raises:
        UserError: if another command wrote it.
    """
    grid = folder / "grid" / f"{GRID}.yaml"
    if not grid.exists():
        return False
    if f"{_WRITTEN_BY}{written_by}\n" in grid.read_text(encoding="utf-8"):
        return True
    raise UserError(
        f"{grid} is there already, and was not written for this model, these texts and these options. It says what it "
        f"was written for, and how to go on with it. For another sweep, remove {folder.parent}, or name another folder "
        "with --out."
    )


def _line(key: str, value: Any, note: str | None = None) -> str:
    return f"{key}: {_flow(value)}" + (f" # {note}" if note else "")


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")
