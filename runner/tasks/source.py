"""Load a task's texts with the module that `task.source` names, which is Pinbox's or the user's own.

To add a task, put a module into this folder with functions `load(task, downloads) -> Texts` and `identity(task) ->
dict`, and write a YAML file in conf/task/ whose `source` names the module. The user's own modules are found by that
name, too: see runner/store/plugins.py.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.config.task import TaskConfig
from runner.config.task_kinds import EMBEDDING, JUDGED, SIMILARITY
from runner.errors import UserError, did_you_mean
from runner.store import plugins
from runner.store.plugins import Plugin
from runner.store.source_code import source_hash
from runner.tasks.judgements import limited
from runner.tasks.texts import Texts

SOURCES = ("alice", "collection", "file", "hub", "tweets")


def load_texts(task: TaskConfig, downloads: Path) -> Texts:
    """Return the texts of a task.

    Args:
        task: the task's config.
        downloads: the folder that keeps downloaded packages.

    Raises:
        UserError: if there is no such task, if its file is at fault, or if a package cannot be downloaded.
    """
    texts: Texts = _module(task).load(task, downloads)
    if task.kind in JUDGED and not texts.judgements:
        raise UserError(
            f"task.kind of '{task.name}' is {task.kind}, but task.source={task.source} gives no judgements. Take "
            f"task.source={'file' if task.kind == SIMILARITY else 'collection'}, or another kind."
        )
    texts = limited(texts, task.max_test_texts)
    return replace(texts, kind=task.kind) if task.kind == EMBEDDING and not texts.labels else texts


def task_identity(task: TaskConfig) -> dict[str, Any]:
    """Return what identifies this task's texts: its pins or the hash of its file, and the hash of the code.

    The code is the task's module, this one and all modules of this room that they import.

    Raises:
        UserError: if there is no such task, or its file cannot be read.
    """
    module = _module(task)
    identity: dict[str, Any] = module.identity(task)
    plugin = _plugin(task)
    ours = source_hash([Path(__file__), *([] if plugin else [Path(module.__file__)])], ("tasks",))
    identity |= {"max_test_texts": task.max_test_texts} if task.max_test_texts else {}
    return identity | {"kind": task.kind, "code": f"{ours} {plugin.sha256()}" if plugin else ours}


def plugin_record(task: TaskConfig) -> dict[str, Any]:
    """Return the name and the hash of the task's code for the record of its texts, if it is the user's own."""
    plugin = _plugin(task)
    return {"plugin": plugins.label("tasks", task.source, plugin.sha256())} if plugin else {}


def _plugin(task: TaskConfig) -> Plugin | None:
    return plugins.find("tasks", task.source, SOURCES)


def _module(task: TaskConfig) -> Any:
    if plugin := _plugin(task):
        module = plugin.load()
        for function in ("load", "identity"):
            if not callable(getattr(module, function, None)):
                raise UserError(f"task.source: {plugin.origin} has no function '{function}'; see runner/tasks.")
        return module
    if task.source not in SOURCES:
        allowed = [*SOURCES, *plugins.names("tasks")]
        raise UserError(f"task.source: there is no task '{task.source}'. {did_you_mean(task.source, allowed)}")
    return importlib.import_module(f"runner.tasks.{task.source}")
