"""The peaks of memory hold for the task's longest input, also where that is not among those that are timed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.trial.__main__ import measure
from runner.trial.inputs import load_inputs, load_larger

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


def test_the_longest_input_is_called_once_and_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "greedy_engine.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(tmp_path)
    write_inputs(tmp_path / "inputs.npz", [*[(1, 4)] * 20, (1, 500), (1, 4)])
    request: dict[str, Any] = {"engine": "greedy", "plugin": "greedy_engine", "threads": 1, "cpus": [0], "session": 0}
    request |= {"memory_bytes": None}
    request |= {"measure": {"batches": 3, "timed_seconds": 0.01, "warmup_seconds": 0.01, "turn_seconds": 0.01}}
    measured = measure(request, {"artifact": tmp_path, "inputs": tmp_path, "output": tmp_path})
    from greedy_engine import Engine  # type: ignore[import-not-found]

    assert Engine.called.count((1, 500)) == 1
    assert Engine.called[-1] == (1, 500)
    assert measured.rss_peak_tokens == 500
    assert measured.padded_tokens == 12
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
