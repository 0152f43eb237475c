"""Make tiny ONNX models and compute their logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from tests.techniques.conftest import apply_step
from tests.techniques.saturating import EXACT


def export(checkpoint: Path, texts: Path, target: Path) -> Path:
    """Export a checkpoint as a plain graph."""
    return apply_step(target, checkpoint, texts, step="onnx-export")[0]


def batch(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return input_ids and attention_mask, int64 [rows, columns]. All rows except the first end in padding."""
    ids = np.arange(rows * columns).reshape(rows, columns) % 200 + 5
    mask = np.ones_like(ids)
    mask[1:, columns // 2 :] = 0
    return ids, mask


def logits(folder: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Run an ONNX model on one thread, with int8 products as on a CPU with VNNI, and return [rows, labels]."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry(*EXACT)  # test_saturation.py tests where they saturate
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return result


def difference(model: Path, other: Path) -> float:
    """Return the largest difference between two models' logits over several shapes."""
    shapes = [batch(rows, columns) for rows, columns in ((1, 7), (3, 20), (2, 60))]
    return max(float(np.abs(logits(model, *shape) - logits(other, *shape)).max()) for shape in shapes)


def alone_and_together(folder: Path) -> float:
    """Return the largest difference between the logits of texts alone and in a batch."""
    ids, _ = batch(4, 20)
    mask = np.ones_like(ids)
    together = logits(folder, ids, mask)
    alone = np.concatenate([logits(folder, ids[row : row + 1], mask[row : row + 1]) for row in range(len(ids))])
    return float(np.abs(together - alone).max())
