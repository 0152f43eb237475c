"""A data set of the hub is downloaded once by its pin, from a fake hub on this machine, or refused with what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import huggingface_hub.constants
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runner.config.task import TaskConfig
from runner.errors import UserError
from runner.tasks import hub
from runner.tasks.source import load_texts, task_identity
from runner.tasks.texts import SPLITS

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FEATURES = {"label": {"names": ["never", "maybe", "always"], "_type": "ClassLabel"}}
METADATA = {b"huggingface": json.dumps({"info": {"features": FEATURES}}).encode()}


class Hub(BaseHTTPRequestHandler):
    """The responses of the hub that a download of one data set needs."""

    def __init__(self, folder: Path, asked: list[str], *rest: Any) -> None:
        self._folder, self._asked = folder, asked
        super().__init__(*rest)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self._asked.append(path)
        files = sorted(file for file in self._folder.rglob("*") if file.is_file())
        sizes = {file.relative_to(self._folder).as_posix(): file.stat().st_size for file in files}
        if path == f"/api/datasets/owner/name/revision/{COMMIT}":
            siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
            self._answer(json.dumps({"id": "owner/name", "sha": COMMIT, "siblings": siblings}).encode())
            return
        if path == f"/api/datasets/owner/name/tree/{COMMIT}":
            tree = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes.items()]
            self._answer(json.dumps(tree).encode())
            return
        file = self._folder / path.removeprefix(f"/datasets/owner/name/resolve/{COMMIT}/")
        if file.is_file():
            self._answer(file.read_bytes())
        else:
            self.send_error(404)

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hash(content)}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, list[str]]]:
    """The folder that the fake hub serves, and the requests that it received."""
    folder, asked = tmp_path / "served", list[str]()
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder, asked))
    Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    for name, value in {
        "ENDPOINT": endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": False,
    }.items():
        monkeypatch.setattr(huggingface_hub.constants, name, value)
    yield folder, asked
    server.shutdown()
    server.server_close()


def _write(path: Path, count: int, label: int | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [f"{path.stem} {path.parent.name} word{n} word{3 * n + 1} word{n * n + 2}" for n in range(count)]
    table = pa.table({"text": texts, "label": [n % 3 if label is None else label for n in range(count)]})
    pq.write_table(table.replace_schema_metadata(METADATA), path)


def _task(**keys: Any) -> TaskConfig:
    return TaskConfig(name="demo", source="hub", **({"hub_id": "owner/name", "revision": COMMIT} | keys))


def test_the_files_of_each_split_are_downloaded_once(served: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, asked = served
    for name, count in {"train-00000-of-00002": 5, "train-00001-of-00002": 4, "validation-00000-of-00001": 3}.items():
        _write(folder / "data" / f"{name}.parquet", count)
    _write(folder / "data" / "test-00000-of-00001.parquet", 2)
    _write(folder / "data" / "extra-00000-of-00001.parquet", 2)
    texts = load_texts(_task(), tmp_path / "downloads")
    assert texts.labels == ["never", "maybe", "always"], "in the data set's own order"
    assert [len(getattr(texts, split)) for split in SPLITS] == [9, 3, 2]
    assert sorted(example.label or 0 for example in texts.test) == [0, 1]
    assert not any("extra" in path for path in asked)
    asked.clear()
    assert load_texts(_task(), tmp_path / "downloads") == texts
    assert load_texts(_task(), tmp_path / "elsewhere") == texts, "from the hub's own cache"
    assert asked == []


def test_splits_may_have_other_names_and_folders(served: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The hub makes such a parquet branch of every data set."""
    folder, _ = served
    for subset in ("mrpc", "sst2"):
        _write(folder / subset / "train" / "0000.parquet", 80)
        _write(folder / subset / "dev" / "0000.parquet", 6)
    keys = {"validation_split": None, "test_split": "dev"}
    texts = load_texts(_task(subset="sst2", **keys), tmp_path / "downloads")
    assert len(texts.test) == 6
    assert 0 < len(texts.validation) < 30 < len(texts.train) == 80 - len(texts.validation)
    with pytest.raises(
        UserError, match=r"split 'train' in several folders: mrpc/train, sst2/train\. Name one of them: task"
    ):
        load_texts(_task(**keys), tmp_path / "downloads")
    with pytest.raises(UserError, match=r"task\.test_split: .*no Parquet file of the split 'test' in a folder sst2 at"):
        load_texts(_task(subset="sst2", validation_split=None), tmp_path / "downloads")


def test_hidden_labels_and_other_columns_are_refused(served: tuple[Path, list[str]], tmp_path: Path) -> None:
    folder, _ = served
    _write(folder / "test.parquet", 4, label=-1)
    only_test = {"train_split": None, "validation_split": None}
    with pytest.raises(UserError, match=r"task\.hub_id: owner/name, test/00000\.parquet, row 1: column 'label' is em"):
        load_texts(_task(**only_test), tmp_path)
    with pytest.raises(UserError, match=r"task\.text_column: owner/name, .* has no column 'sentence'.*Allowed: label"):
        load_texts(_task(text_column="sentence", **only_test), tmp_path)
    assert len(load_texts(_task(label_column=None, **only_test), tmp_path).test) == 4


def test_too_much_is_not_downloaded(
    served: tuple[Path, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, asked = served
    for side in SPLITS:
        _write(folder / f"{side}.parquet", 9)
    monkeypatch.setattr(hub, "MAX_BYTES", 100)
    with pytest.raises(UserError, match="Take a sample of it as a file"):
        load_texts(_task(), tmp_path)
    assert not any("resolve" in path for path in asked)


def test_without_network_the_error_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"task 'demo': cannot get owner/name from the hub .*task=file task\.path="):
        load_texts(_task(), tmp_path)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"hub_id": "name"}, r"task\.hub_id is 'name', but must be an owner and a name"),
        ({"revision": "main"}, r"task\.revision is 'main', but must be a commit"),
        ({"test_split": None}, r"task\.test_split is null"),
    ],
)
def test_the_pin_must_be_one(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        task_identity(_task(**keys))


def test_the_identity_follows_what_is_read() -> None:
    same, *others = (
        task_identity(_task(**keys)) for keys in ({}, {"subset": "a"}, {"test_split": "dev"}, {"text_column": "b"})
    )
    assert same == task_identity(_task())
    assert same not in others
