"""The peaks of memory hold for the task's longest input, also where that is not among those that are timed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from runner.trial.__main__ import measure
from runner.trial.encoder import SETTINGS, TEXTS
from runner.trial.inputs import load_inputs, load_larger
from runner.trial.memory import MemoryWatch
from runner.trial.phases import start

MIB = 1 << 20
ENGINE = '''
class Engine:
    """Takes a tenth of a MiB for each token."""

    called = []

    def __init__(self, artifact, threads):
        self.threads = threads

    def prepare(self, *inputs):
        return inputs

    def run(self, batch):
        self.called.append(batch[0].shape)
        bytearray(b"x") * (batch[0].size * (1 << 20) // 10)

    def describe(self):
        return {"threads": self.threads}
'''


def write_inputs(path: Path, shapes: list[tuple[int, int]]) -> Path:
    """Write inputs whose ids are the number of their batch."""
    ids = np.concatenate([np.full(rows * columns, place) for place, (rows, columns) in enumerate(shapes)])
    np.savez(path, input_ids=ids.astype(np.int32), attention_mask=np.ones_like(ids), shapes=np.array(shapes))
    return path


def write_encoder(folder: Path, shapes: list[tuple[int, int]]) -> None:
    """Write a tokenizer that gives each text the number of its batch, as many times as the input is long."""
    words = {str(place): place for place in range(len(shapes))}
    tokenizer = Tokenizer(WordLevel(words, unk_token="0"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"max_length": 512, "padding": "longest", "pad_token_id": 0, "token_types": False, "words": False}
    (folder / SETTINGS).write_text(json.dumps(settings))
    (folder / TEXTS).write_text(json.dumps([" ".join([str(p)] * n) for p, (_, n) in enumerate(shapes)]))


def test_the_longest_input_is_called_once_and_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "greedy_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    shapes = [*[(1, 4)] * 20, (1, 500), (1, 4)]
    write_inputs(tmp_path / "inputs.npz", shapes)
    write_encoder(tmp_path, shapes)
    request: dict[str, Any] = {"engine": "greedy", "plugin": "greedy_engine", "threads": 1, "cpus": [0], "session": 0}
    request |= {"memory_bytes": None, "quota_cpus": None}
    request |= {"measure": {"batches": 3, "timed_seconds": 0.01, "warmup_seconds": 0.01, "turn_seconds": 0.01}}
    measured = measure(request, {"artifact": tmp_path, "inputs": tmp_path, "output": tmp_path})
    from greedy_engine import Engine  # type: ignore[import-not-found]

    assert Engine.called.count((1, 500)) == 1
    assert Engine.called[-1] == (1, 500)
    assert measured.rss_peak_tokens == 500
    assert measured.padded_tokens == 12
    assert 0 < measured.tokenize_p50_seconds < measured.latency_p50_seconds
    assert measured.latency_p50_seconds > measured.engine_p50_seconds
    assert measured.start_seconds > measured.first_call_seconds > 0
    assert set(measured.samples.batch) == {0, 1, 2}
    assert measured.memory.phase[-1] == "longest call"
    assert measured.rss_peak_bytes - measured.rss_first_call_bytes > 40 * MIB
    assert measured.rss_anon_peak_bytes - measured.rss_anon_first_call_bytes > 40 * MIB


@pytest.mark.parametrize(
    ("shapes", "larger"),
    [
        ([(2, 8), (2, 8), (2, 8), (1, 8)], []),  # none is larger than what was timed
        ([(2, 8), (2, 8), (2, 9), (2, 8)], [2]),
        ([(2, 8), (2, 8), (2, 12), (1, 15)], [2, 3]),  # the most tokens, and the longest text
        ([(2, 8), (2, 8), (1, 9)], [2]),
    ],
)
def test_larger_inputs_are_found(shapes: list[tuple[int, int]], larger: list[int], tmp_path: Path) -> None:
    path = write_inputs(tmp_path / "inputs.npz", shapes)
    known = [inputs[0].shape for inputs in load_inputs(path, 2)]
    found = load_larger(path, known)
    assert [int(ids[0, 0]) for ids, _ in found] == larger
    assert [ids.shape for ids, _ in found] == [shapes[place] for place in larger]
    assert all(mask.shape == ids.shape for ids, mask in found)


def test_a_box_that_makes_other_tokens_than_the_evaluation_crashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "greedy_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    write_inputs(tmp_path / "inputs.npz", [(1, 4)])
    write_encoder(tmp_path, [(1, 5)])
    request: dict[str, Any] = {"engine": "greedy", "plugin": "greedy_engine", "threads": 1}
    request |= {"measure": {"batches": 1, "warmup_seconds": 0.01}}
    with pytest.raises(ValueError, match=r"the tokens of '0 0 0 0 0' differ from those"):
        start(request, {"artifact": tmp_path, "inputs": tmp_path}, MemoryWatch())
