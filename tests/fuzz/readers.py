"""Every reader of files from outside, as a function of the file's bytes, with a few good files to start from.

A reader may return, or raise a `UserError`; anything else is a crash.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from onnx import TensorProto, helper, numpy_helper

from runner.config.task import TaskConfig
from runner.models.onnx_file import check_onnx
from runner.models.package import extract
from runner.models.raw_files import check_files, check_weights
from runner.results.collect import collect
from runner.results.predictions import predictions_parts, read_evaluations
from runner.results.records.plan import read_plan
from runner.results.schema import RESULTS
from runner.results.summary import summarize
from runner.results.tables import read_tables
from runner.results.trials import read_trials
from runner.store.artifacts import Store
from runner.store.sweep_folder import SweepFolder
from runner.sweep.prepared import read_prepared
from runner.tasks import file as texts_file
from tests.models.files import write_files
from tests.results.synthetic import DEMO, trial_file, write_sweep


@dataclass(frozen=True)
class Reader:
    """How to read a file, which it is, and what good ones hold."""

    path: Path
    read: Callable[[Path], object]
    seeds: list[bytes]

    def __call__(self, content: bytes) -> None:
        """Read a file of this content."""
        self.path.write_bytes(content)
        self.read(self.path)


def readers(place: Path) -> dict[str, Callable[[], Reader]]:
    """Return what makes each reader, by name; `place` is an empty folder for their files."""
    return {
        name: lambda make=make, name=name: make(_folder(place, name))  # type: ignore[misc]
        for name, make in _MAKERS.items()
    }


def _folder(place: Path, name: str) -> Path:
    folder = place / name
    folder.mkdir(parents=True)
    return folder


def _weights(folder: Path) -> Reader:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    good = struct.pack("<Q", len(header)) + header + b"0" * 8
    return Reader(folder / "model.safetensors", lambda path: check_weights(path, "model"), [good])


def _model_file(name: str, *seeds: str) -> Callable[[Path], Reader]:
    def make(folder: Path) -> Reader:
        write_files(folder, "config.json", "tokenizer.json")
        return Reader(folder / name, lambda path: check_files(folder, "model"), [seed.encode() for seed in seeds])

    return make


def _onnx(folder: Path) -> Reader:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    weights = numpy_helper.from_array(np.zeros(2, np.float32), "w")
    outside = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="weights")
    branch = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "b", [], ends[1:], [weights])
    choice = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    add = helper.make_node("Add", ["x", "w"], ["y"])
    own = helper.make_function("own", "F", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], [])
    graphs = [helper.make_graph([node], "g", ends[:1], ends[1:], [outside]) for node in (add, choice)]
    seeds = [helper.make_model(graph, functions=[own]).SerializeToString() for graph in graphs]
    return Reader(folder / "model.onnx", lambda path: check_onnx(path, "model"), seeds)


_CSV = [
    b'text,label,split\ngood,a,train\n"a, b",b,test\n',
    "\ufefftext,label\r\n\u00e9,1\r\n\U0001f600,2\r\n".encode(),
    b"sep=;\ntext;label;split\r\ngood;a;train\r\n;;\r\n",
    b'text\t label\t split\rgood\t a\t train\r"a ""b"""\tb\ttest\r',
    "text|label\nb\u00e9|0,5\n".encode("utf-16"),
]
_JSON_LINES = [
    b'{"text": "good", "label": "a", "split": "train"}\n{"text": "bad", "label": "b", "split": "test"}\n',
    '{"text": "\u00e9", "label": 1}\n\n{"text": "\\ud83d\\ude00", "label": 2, "more": [null, {}]}\n'.encode(),
    b'[{"text": "a"}]',
    '{"text": "\u00e9"}\n'.encode("utf-16"),
]


def _csv(folder: Path) -> Reader:
    return _texts(folder / "texts.csv", _CSV)


def _declared(folder: Path) -> Reader:
    seeds = [seed.decode("utf-16" if seed.startswith(codecs.BOM_UTF16) else "utf-8-sig") for seed in _CSV]
    return _texts(folder / "texts.csv", [seed.encode("cp1252", "ignore") for seed in seeds], "cp1252")


def _jsonl(folder: Path) -> Reader:
    return _texts(folder / "texts.jsonl", _JSON_LINES)


def _gzip(folder: Path) -> Reader:
    return _texts(folder / "texts.csv.gz", [gzip.compress(seed) for seed in _CSV])


def _zstd(folder: Path) -> Reader:
    return _texts(folder / "texts.csv.zst", [zstandard.ZstdCompressor().compress(seed) for seed in _CSV])


def _archive(folder: Path) -> Reader:
    seeds = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        for name, content in {"a/texts.csv": _CSV[0], "texts.jsonl": _JSON_LINES[0]}.items():
            whole = io.BytesIO()
            with zipfile.ZipFile(whole, "w", method) as zipped:
                zipped.writestr(name, content)
                zipped.writestr("readme.txt", "Read me.")
            seeds.append(whole.getvalue())
    return _texts(folder / "texts.zip", seeds)


def _parquet(folder: Path) -> Reader:
    names = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a", "b"]}}}}
    table = pa.table({"text": ["one", "two"] * 4, "label": [0, 1] * 4, "more": [[1], []] * 4})
    seeds = []
    for compression in ("snappy", "none"):
        whole = io.BytesIO()
        pq.write_table(
            table.replace_schema_metadata({b"huggingface": json.dumps(names).encode()}), whole, compression=compression
        )
        seeds.append(whole.getvalue())
    return _texts(folder / "texts.parquet", seeds)


def _texts(path: Path, seeds: list[bytes], encoding: str | None = None) -> Reader:
    task = TaskConfig(name="t", path=str(path), encoding=encoding)
    return Reader(path, lambda path: texts_file.load(task, path.parent), seeds)


def _trial(folder: Path) -> Reader:
    write_sweep(folder, rounds=1)
    path = trial_file(folder, DEMO[1])
    planned = {"job": DEMO[1].key, "round": 0, "role": "variant"}
    assert path.exists()
    return Reader(path, lambda _: read_trials(folder, [planned]), [path.read_bytes()])


def _collected(name: str) -> Callable[[Path], Reader]:
    def make(folder: Path) -> Reader:
        collect(write_sweep(folder, DEMO[:2], rounds=1, texts=["one", "two"]))
        return Reader(folder / name, lambda _: read_tables(folder), [(folder / name).read_bytes()])

    return make


def _predictions(folder: Path) -> Reader:
    write_sweep(folder, DEMO[:2], rounds=1, texts=["one", "two"])
    path, jobs = (
        folder / "predictions" / f"{DEMO[1].key}.json",
        list(read_plan(SweepFolder(folder)).columns_of_jobs().values()),
    )

    def read(_: Path) -> None:
        evaluations, _warnings = read_evaluations(folder)
        list(predictions_parts(jobs, evaluations))
        summarize(jobs, {}, RESULTS.empty_table(), evaluations, 0.01)

    return Reader(path, read, [path.read_bytes()])


def _plan(folder: Path) -> Reader:
    write_sweep(folder, DEMO[:2], rounds=1, texts=["one", "two"])
    return Reader(folder / "plan.json", lambda _: read_plan(SweepFolder(folder)), [(folder / "plan.json").read_bytes()])


def _ready(folder: Path) -> Reader:
    path = folder / "prepared" / "job" / "prepared.json"
    path.parent.mkdir(parents=True)
    seed = {"status": "ok", "artifact_path": str(folder), "inputs_path": str(folder)}
    return Reader(path, lambda _: read_prepared(SweepFolder(folder), "job"), [json.dumps(seed).encode()])


def _store(folder: Path) -> Reader:
    store, recipe = Store(folder), {"step": "x"}
    with store.staging_dir() as place:
        (place / "files").mkdir()
        (place / "files" / "model").write_text("m")
        store.put(recipe, place / "files", "onnx", [])
    (record,) = (path for path in (folder / "recipes").rglob("*") if path.is_file())
    return Reader(record, lambda _: store.find(recipe), [record.read_bytes()])


def _zip(folder: Path) -> Reader:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("a/config.json", b"{}" * 20)
        zipped.writestr("../b", b"outside")  # not asked for

    def read(path: Path) -> None:
        target = Path(tempfile.mkdtemp(dir=folder))
        try:
            extract(path, {"a/config.json": "config.json"}, target, "package")
        finally:
            shutil.rmtree(target)

    return Reader(folder / "package.zip", read, [whole.getvalue()])


_MAKERS: dict[str, Callable[[Path], Reader]] = {
    "safetensors": _weights,
    "config": _model_file("config.json", '{"model_type": "bert", "num_hidden_layers": 2, "pad_token_id": 0}'),
    "tokenizer": _model_file("tokenizer.json", '{"model": {"type": "WordPiece", "vocab": {"[PAD]": 0}}}'),
    "index": _model_file("model.safetensors.index.json", '{"weight_map": {"a": "model.safetensors"}}'),
    "onnx": _onnx,
    "csv": _csv,
    "cp1252": _declared,
    "jsonl": _jsonl,
    "parquet": _parquet,
    "gzip": _gzip,
    "zstd": _zstd,
    "archive": _archive,
    "zip": _zip,
    "recipe": _store,
    "prepared": _ready,
    "plan": _plan,
    "trial": _trial,
    "predictions": _predictions,
    "manifest": _collected("manifest.json"),
    "summary": _collected("summary.parquet"),
}
NAMES = tuple(_MAKERS)
