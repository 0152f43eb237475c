"""Run a matrix product that saturates if int8 products are added in 16 bits, as on either kind of CPU.

As a program, `python saturating.py MODEL…` prints the relative error of the products of each ONNX model. So a test can
run it in an emulator of another CPU. It imports no module of Pinbox.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

ROWS, COLUMNS, CALLS = 256, 64, 16
WEIGHT = 0.05  # the value of every weight, so that all of them use all bits
EXACT = ("session.x64quantprecision", "1")  # with it, ONNX Runtime adds in 32 bits instead of 16
EMULATOR = ("qemu-x86_64", "-cpu", "max")  # its translator knows AVX2 but neither AVX-512 nor VNNI


def activations() -> np.ndarray:
    """Return activations with the largest possible values."""
    return np.ones((CALLS, ROWS), np.float32)


def error(model: Path, exact: bool = False) -> float:
    """Return the relative difference of a model's products from those of the float32 weights."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if exact:
        options.add_session_config_entry(*EXACT)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    products = session.run(None, {"x": activations()})[0]
    return float(np.abs(products / (ROWS * WEIGHT) - 1).max())


def errors_without_vnni(models: Sequence[Path]) -> list[float] | None:
    """Return the error of each model on an emulated CPU with AVX2 but without VNNI; None without an emulator."""
    if platform.machine() != "x86_64" or shutil.which(EMULATOR[0]) is None:
        return None
    command = [*EMULATOR, sys.executable, __file__, *map(str, models)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    errors: list[float] = json.loads(done.stdout)
    return errors


if __name__ == "__main__":
    print(json.dumps([error(Path(name)) for name in sys.argv[1:]]))
