"""Tasks whose texts people judged, from their files to the predictions file, against transformers alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

import runner.engines.torch
import runner.sweep.prepared
from runner.config.schema import Config
from runner.errors import UserError
from runner.store.sweep_folder import SweepFolder
from runner.sweep.prepare import texts_of
from runner.sweep.prepared import prepare_job
from runner.sweep.validation import check_job
from runner.tasks.texts import read_split
from tests.architectures.models import save_tiny
from tests.sweep.control.here import CONF, HereBox

WORDS = ["rain", "sun", "rivers", "moon", "windy", "good", "bad", "table", "letters"]
TEXTS = [" ".join(WORDS[(i * j + i) % len(WORDS)] for j in range(1, 3 + i % 7)) + f" text{i}" for i in range(40)]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose weights are random, but which a sweep takes for a trained one."""
    folder = tmp_path_factory.mktemp("encoder") / "model"
    save_tiny(folder, "bert", TEXTS)
    AutoModel.from_pretrained(folder).save_pretrained(folder)
    return folder


def _vectors(model: Path, texts: list[str]) -> np.ndarray:
    """Return the mean of the tokens' last hidden states, one text at a time."""
    tokenizer, encoder = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    with torch.inference_mode():
        states = [encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]
    return np.array([state.mean(0).numpy() for state in states])


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def _prepare(monkeypatch: pytest.MonkeyPatch, folder: Path, model: Path, *overrides: str) -> dict[str, Any]:
    """Check and prepare one job, and return the content of its predictions file and the folder of its texts."""
    monkeypatch.setattr(torch, "set_num_interop_threads", lambda count: None)  # torch allows it once in a process
    monkeypatch.setattr(runner.sweep.prepared, "make_box", lambda isolation: HereBox())
    settings = ["model=folder", f"model.path={model}", "isolation=process", f"store={folder}/store", *overrides]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = OmegaConf.to_object(compose("config", settings))
    assert isinstance(cfg, Config)
    check_job(cfg)
    sweep = SweepFolder(folder / f"sweep-{cfg.technique.name}")
    ready = prepare_job(cfg, "job", sweep, [0])
    assert ready is not None
    assert ready.status == "ok", ready.error
    assert ready.control is not None
    assert ready.control.texts > 0
    predictions: dict[str, Any] = json.loads(sweep.predictions_of("job").read_text())
    return predictions | {"store": texts_of(cfg).path}


@pytest.mark.slow
def test_similarity(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"a": TEXTS[i], "b": TEXTS[-1 - i], "score": i / 4, "split": "test"} for i in range(20)]
    rows += [{"a": TEXTS[i], "b": TEXTS[i + 1], "score": 1, "split": "train"} for i in range(10)]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ("task=file", f"task.path={tmp_path}/pairs.jsonl", "task.kind=similarity", "task.text_column=a")
    settings += ("task.text_pair_column=b", "task.label_column=score")
    settings += ("model.steps=[{step: import-checkpoint, head: mean}]",)
    score_of = {f"{row['a']}\n{row['b']}": row["score"] for row in rows if row["split"] == "test"}
    vectors = dict(zip(TEXTS, _vectors(encoder, TEXTS), strict=True))
    for technique, tolerance in (("torch-eager", 1e-5), ("onnx-static-int8", 0.2)):
        found = _prepare(monkeypatch, tmp_path, encoder, *settings, f"technique={technique}")
        assert dict(zip(found["texts"], found["label"], strict=True)) == score_of
        for text, (cosine,) in zip(found["texts"], found["logits"], strict=True):
            expected = _cosine(*(vectors[part] for part in text.split("\n")))
            assert cosine == pytest.approx(expected, abs=tolerance)
        assert not found["pairs"], "an encoder takes one text at a time"
    notes = [record["notes"] for record in found["lineage"]]
    assert [n["calibration_split"] for n in notes if "calibration_split" in n] == ["train"]


PROMPTS = {"query": "good good: ", "passage": "bad bad: "}


@pytest.mark.slow
def test_retrieval(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries and documents get the prompts of the model's folder, and are ranked by their cosines."""
    model = tmp_path / "model"
    shutil.copytree(encoder, model)
    _make_sentence_transformer(model)
    documents, queries = {f"d{i}": text for i, text in enumerate(TEXTS[8:])}, {f"q{i}": TEXTS[i] for i in range(8)}
    judged = {(f"q{i}", f"d{(7 * i + 3 * j) % 32}"): j for i in range(8) for j in range(1 + i % 3)}
    _write_beir(tmp_path / "set", documents, queries, judged)
    settings = ("task=collection", f"task.path={tmp_path}/set", "model.steps=[{step: import-checkpoint, head: mean}]")
    of_documents = _vectors(model, [PROMPTS["passage"] + text for text in documents.values()])
    for technique, agreement in (("torch-eager", 1.0), ("onnx-int8", 0.5)):
        found = _prepare(monkeypatch, tmp_path, model, *settings, f"technique={technique}")
        texts = read_split(Path(found["store"]), "documents")
        place_of = {example.text: place for place, example in enumerate(texts)}
        assert sorted(found["texts"]) == sorted(queries.values())
        agree = []
        for text, own, ranking in zip(found["texts"], found["judged"], found["rankings"], strict=True):
            key = next(key for key, query in queries.items() if query == text)
            expected = {place_of[documents[name]]: grade for (query, name), grade in judged.items() if query == key}
            assert dict(own) == expected
            cosines = [_cosine(_vectors(model, [PROMPTS["query"] + text])[0], vector) for vector in of_documents]
            nearest = [place_of[list(documents.values())[i]] for i in np.argsort(cosines)[::-1]]
            assert sorted(ranking) == list(range(32))
            agree.append(ranking[:3] == nearest[:3])
        assert np.mean(agree) >= agreement
    notes = [record["notes"] for record in found["lineage"]]
    assert [n["prompts"] for n in notes if "prompts" in n] == [list(PROMPTS.values())]


def _make_sentence_transformer(folder: Path) -> None:
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    entries = [
        {"idx": i, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": PROMPTS}))


def _write_beir(
    folder: Path, documents: dict[str, str], queries: dict[str, str], judged: dict[tuple[str, str], int]
) -> None:
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": key, "text": text}) + "\n" for key, text in rows.items()]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    rows_of_judgements = [f"{query}\t{document}\t{grade}\n" for (query, document), grade in judged.items()]
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows_of_judgements))


@pytest.mark.slow
def test_rerank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "model"
    save_tiny(model, "bert", TEXTS)
    config = AutoConfig.from_pretrained(model, num_labels=1)
    scorer = AutoModelForSequenceClassification.from_config(config).eval()
    scorer.save_pretrained(model)
    documents, queries = {f"d{i}": text for i, text in enumerate(TEXTS[8:])}, {f"q{i}": TEXTS[i] for i in range(8)}
    judged = {(f"q{i}", f"d{(7 * i + 3 * j) % 32}"): j for i in range(8) for j in range(4)}
    _write_beir(tmp_path / "set", documents, queries, judged)
    settings = ("task=rerank", f"task.path={tmp_path}/set", "workload=batch-8")
    tokenizer = AutoTokenizer.from_pretrained(model)
    for technique in ("torch-eager", "onnx"):
        found = _prepare(monkeypatch, tmp_path, model, *settings, f"technique={technique}")
        pairs = read_split(Path(found["store"]), "test")
        assert sorted(found["texts"]) == sorted(queries.values())
        for text, own, ranking in zip(found["texts"], found["judged"], found["rankings"], strict=True):
            key = next(key for key, query in queries.items() if query == text)
            candidates = {documents[name]: grade for (query, name), grade in judged.items() if query == key}
            assert {pairs[place].pair: grade for place, grade in own} == candidates
            with torch.inference_mode():
                scores = {d: float(scorer(**tokenizer(text, d, return_tensors="pt")).logits[0, 0]) for d in candidates}
            assert [pairs[place].pair for place in ranking] == sorted(scores, key=scores.__getitem__, reverse=True)


def test_a_head_with_several_outputs_is_no_reranker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tiny(tmp_path / "model", "bert", TEXTS)
    _write_beir(tmp_path / "set", {"d": "a"}, {"q": "b"}, {("q", "d"): 1})
    with pytest.raises(UserError, match="needs one output, the score of a query and a document"):
        _prepare(monkeypatch, tmp_path, tmp_path / "model", "task=rerank", f"task.path={tmp_path}/set")
