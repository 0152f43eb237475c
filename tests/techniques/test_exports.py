"""Exported models are compared with their checkpoint through the engines that trials use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.techniques.conftest import apply_step, save_random
from tests.techniques.onnx_models import difference

LOGITS = """
import sys, numpy as np
from pathlib import Path
from runner.engines.engine import import_engine
engine = import_engine(sys.argv[1])(Path(sys.argv[2]), 1)
logits = []
for rows, columns in ((1, 7), (3, 20), (2, 60)):
    ids = np.arange(rows * columns).reshape(rows, columns) % 200 + 5
    mask = np.ones_like(ids)
    mask[1:, columns // 2 :] = 0
    logits.append(engine.logits(engine.run(engine.prepare(ids, mask))))
np.save(sys.argv[3], np.concatenate(logits))
"""

Logits = Callable[[str, Path], np.ndarray]


@pytest.fixture
def logits(tmp_path: Path) -> Logits:
    """Run an engine in its own process, because its thread pools can be set only once."""

    def run(engine: str, artifact: Path) -> np.ndarray:
        out = tmp_path / "logits.npy"
        subprocess.run([sys.executable, "-c", LOGITS, engine, str(artifact), str(out)], check=True)
        result: np.ndarray = np.load(out)
        return result

    return run


@pytest.mark.slow
def test_torchscript_is_exact(checkpoint: Path, texts: Path, tmp_path: Path, logits: Logits) -> None:
    made, notes = apply_step(tmp_path / "made", checkpoint, texts, step="torchscript")
    assert notes["largest_logit_difference"] < 1e-5
    np.testing.assert_allclose(logits("torchscript", made), logits("torch", checkpoint), atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
def test_torch_compile_is_exact(texts: Path, tmp_path: Path, logits: Logits) -> None:
    model = save_random(tmp_path / "model", texts, "modernbert")  # which needs another graph for a single text
    np.testing.assert_allclose(logits("torch_compile", model), logits("torch", model), atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
def test_aot_inductor_is_exact(bert: Path, texts: Path, tmp_path: Path, logits: Logits) -> None:
    made, notes = apply_step(tmp_path / "made", bert, texts, step="aot-inductor")
    assert notes["largest_logit_difference"] < 1e-5
    np.testing.assert_allclose(logits("aot_inductor", made), logits("torch", bert), atol=1e-5)


@pytest.mark.slow
def test_onnx_is_exact(checkpoint: Path, texts: Path, tmp_path: Path, logits: Logits) -> None:
    made, notes = apply_step(tmp_path / "made", checkpoint, texts, step="onnx-export")
    assert notes["largest_logit_difference"] < 1e-5
    np.testing.assert_allclose(logits("onnxruntime", made), logits("torch", checkpoint), atol=1e-5)


@pytest.mark.slow
def test_onnx_of_a_pruned_model_is_exact(checkpoint: Path, texts: Path, tmp_path: Path, logits: Logits) -> None:
    pruned, _ = apply_step(
        tmp_path / "pruned", checkpoint, texts, step="head-pruning", fraction=0.5, criterion="random", seed=1
    )
    made, _ = apply_step(tmp_path / "made", pruned, texts, step="onnx-export")
    np.testing.assert_allclose(logits("onnxruntime", made), logits("torch", pruned), atol=1e-5)


def test_onnx_int8_is_near_and_smaller(checkpoint: Path, texts: Path, tmp_path: Path) -> None:
    exported, _ = apply_step(tmp_path / "exported", checkpoint, texts, step="onnx-export")
    made, _ = apply_step(tmp_path / "made", exported, texts, step="onnx-dynamic-int8")
    types = {initializer.data_type for initializer in onnx.load(made / "model.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in types
    assert (made / "model.onnx").stat().st_size < 0.7 * (exported / "model.onnx").stat().st_size
    assert 0 < difference(exported, made) < 0.1


@pytest.mark.slow
def test_torch_int8_is_near(checkpoint: Path, texts: Path, tmp_path: Path, logits: Logits) -> None:
    made, notes = apply_step(tmp_path / "made", checkpoint, texts, step="torch-dynamic-int8")
    exact, near = logits("torch", checkpoint), logits("torchscript", made)
    assert 0 < np.abs(exact - near).max() < 0.1
    assert notes["largest_logit_difference"] > 0


def test_a_wrong_export_is_refused(bert: Path, texts: Path) -> None:
    import torch

    from runner.techniques.torch.tracing import largest_difference, load_logits

    model = load_logits(bert, attention="sdpa")
    with pytest.raises(ValueError, match=r"logits are off by .*, more than 0\.001"):
        largest_difference(
            model, lambda input_ids, attention_mask: model(input_ids, torch.ones_like(attention_mask)) + 0.01
        )


def test_an_export_gives_the_same_bytes_again(bert: Path, texts: Path, tmp_path: Path) -> None:
    first, _ = apply_step(tmp_path / "first", bert, texts, step="onnx-export")
    second, _ = apply_step(tmp_path / "second", bert, texts, step="onnx-export")
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()
