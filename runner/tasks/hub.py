"""Read a data set of the Hugging Face hub, pinned to a commit, from its Parquet files.

A file's name says to which split it belongs, as on the hub: data/train-00000-of-00002.parquet or train/0000.parquet
(https://huggingface.co/docs/hub/datasets-file-names-and-splits). A data set's code is never run.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from runner.config.task import TaskConfig
from runner.errors import UserError, first_line
from runner.tasks.columns import SPLIT, checked_rows, read_as, texts_of, wanted_columns
from runner.tasks.content import MAX_BYTES
from runner.tasks.reading import open_rows
from runner.tasks.rows import Row, Source
from runner.tasks.split import split
from runner.tasks.texts import SPLITS, Texts

_REVISION = re.compile(r"[0-9a-f]{40}")
_PARTS = re.compile(r"-(\d{5})-of-(\d{5})$")
_SECONDS = 10  # the time to wait for the hub's first answer


def load(task: TaskConfig, downloads: Path) -> Texts:
    """Return the data set's texts in the splits that the task's config names.

    If `validation_split` is null, a tenth of the training texts are for validation, and near-duplicates stay together.

    Raises:
        UserError: if the revision is not a commit, if the hub cannot be reached, or if the data set lacks a split or a
            column.
    """
    folder = _fetch(task, downloads)
    rows: list[Row] = []
    names: list[str] | None = None
    for side in _splits(task):
        for path in sorted((folder / side).iterdir()):
            where = Source("task.hub_id", f"{task.hub_id}, {side}/{path.name}")
            unchecked = open_rows(path, list(wanted_columns(task).values()), where)
            names = names or unchecked.class_names.get(task.label_column or "")
            checked = checked_rows(unchecked, task, where, split=False)
            rows += [Row(row.where, row.values | {SPLIT: side}) for row in checked]
    texts = texts_of(rows, task, Source("task.hub_id", str(task.hub_id)), names)
    if texts.train and task.validation_split is None:
        first, validation, rest = split(texts.train)
        return replace(texts, train=first + rest, validation=validation)
    return texts


def identity(task: TaskConfig) -> dict[str, Any]:
    """Return the hub id, the revision, which is a commit and so never changes, and the settings for reading it.

    Raises:
        UserError: if the id or the revision is missing, or if the revision is not a commit.
    """
    if not task.hub_id or "/" not in task.hub_id:
        raise UserError(
            f"task.hub_id is '{task.hub_id}', but must be an owner and a name, such as cornell-movie-review-data/"
            "rotten_tomatoes."
        )
    if not task.revision or not _REVISION.fullmatch(task.revision):
        raise UserError(
            f"task.revision is '{task.revision}', but must be a commit, 40 hexadecimal digits: a branch may change "
            "between two runs. The data set's page lists its commits."
        )
    if not task.test_split:
        raise UserError("task.test_split is null, but a task needs texts to test on. Name a split.")
    pin = {"hub_id": task.hub_id, "revision": task.revision, "subset": task.subset}
    return pin | {"splits": _splits(task)} | read_as(task)


def _splits(task: TaskConfig) -> dict[str, str]:
    """Return the data set's name for each split that the task uses."""
    named = zip(SPLITS, (task.train_split, task.validation_split, task.test_split), strict=True)
    return {side: name for side, name in named if name}


def _fetch(task: TaskConfig, downloads: Path) -> Path:
    """Return a folder with a folder of Parquet files for each split. Files that exist are not downloaded again."""
    pin = identity(task)
    chosen = "-".join([*([task.subset] if task.subset else []), *_splits(task).values()])
    name = f"{task.hub_id}-{pin['revision']}-{chosen}".replace("/", "--")
    folder = downloads / "hub-data" / name
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    snapshot, files = _snapshot(task)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        for side, paths in files.items():
            (Path(work) / "whole" / side).mkdir(parents=True)
            for number, path in enumerate(paths):
                shutil.copyfile(snapshot / path, Path(work) / "whole" / side / f"{number:05}.parquet")
        if not folder.is_dir():
            (Path(work) / "whole").rename(folder)
    return folder


def _snapshot(task: TaskConfig) -> tuple[Path, dict[str, list[str]]]:
    """Return the hub cache's folder of this revision, and the paths of each split's files in it."""
    from huggingface_hub import HfApi, snapshot_download

    pin: dict[str, Any] = {"repo_id": task.hub_id, "revision": task.revision, "repo_type": "dataset"}
    likely = [f"*{name}*.parquet" for name in _splits(task).values()]
    try:
        path = Path(snapshot_download(**pin, local_files_only=True, allow_patterns=likely))
        files = _files(task, (file.relative_to(path).as_posix() for file in path.rglob("*.parquet")))
        if all(map(_complete, files.values())):
            return path, files
    except (OSError, ValueError):
        pass  # not in the cache: ask the hub
    try:
        info = HfApi().dataset_info(str(task.hub_id), revision=task.revision, timeout=_SECONDS, files_metadata=True)
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
        files = _files(task, sizes)
        _check_files(task, files, sizes)
        wanted = [path for paths in files.values() for path in paths]
        return Path(snapshot_download(**pin, allow_patterns=wanted)), files
    except UserError:
        raise
    except Exception as error:  # the errors of the hub, of httpx and of the system have no common base class
        raise UserError(
            f"task '{task.name}': cannot get {task.hub_id} from the hub ({first_line(error)}). Run it once while the "
            "hub can be reached, or take a copy on disk: task=file task.path=/folder/texts.parquet."
        ) from None


def _files(task: TaskConfig, paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the Parquet files of each split, in order."""
    known = sorted(path for path in paths if path.endswith(".parquet"))
    return {side: [path for path in known if _is_of(path, name, task.subset)] for side, name in _splits(task).items()}


def _is_of(path: str, split: str, subset: str | None) -> bool:
    file, folders = PurePosixPath(path), PurePosixPath(path).parts[:-1]
    if subset is not None and subset not in folders:
        return False
    return _PARTS.sub("", file.stem) == split or folders[-1:] == (split,)


def _complete(paths: list[str]) -> bool:
    """Return whether there are files, and as many as their names say."""
    counts = [int(match[2]) for path in paths if (match := _PARTS.search(PurePosixPath(path).stem))]
    return bool(paths) and (not counts or len(paths) == counts[0])


def _check_files(task: TaskConfig, files: dict[str, list[str]], sizes: dict[str, int]) -> None:
    for side, paths in files.items():
        folders = {PurePosixPath(path).parent for path in paths}
        if len(folders) > 1:
            raise UserError(
                f"task.subset: {task.hub_id} has the split '{_splits(task)[side]}' in several folders: "
                f"{', '.join(map(str, sorted(folders)))}. Name one of them: task.subset=…."
            )
        if not paths:
            existing = sorted(path for path in sizes if path.endswith(".parquet"))
            hint = f"It has {', '.join(existing[:10])}" if existing else "It has no Parquet files"
            raise UserError(
                f"task.{side}_split: {task.hub_id} has no Parquet file of the split '{_splits(task)[side]}'"
                f"{f' in a folder {task.subset}' if task.subset else ''} at {task.revision}. {hint}."
            )
    total = sum(sizes[path] for paths in files.values() for path in paths)
    if total > MAX_BYTES:
        raise UserError(
            f"task.hub_id: these files of {task.hub_id} have {total / 2**30:.1f} GiB, but at most {MAX_BYTES >> 30} "
            "GiB are allowed. Take a sample of it as a file: task=file."
        )
