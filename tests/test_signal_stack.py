"""A signal after OpenVINO was at work in this process."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from tests.signal_stack import kept_signal_stack


def test_a_plugin_freed_by_another_thread_leaves_signals_be() -> None:
    with kept_signal_stack():
        values = ops.parameter([1, 4], np.float32)
        core = ov.Core()
        held: list[Any] = [core, core.compile_model(ov.Model([ops.relu(values)], [values]), "CPU")]
        del core
        freeing = threading.Thread(target=held.clear)
        freeing.start()
        freeing.join()
    assert os.waitstatus_to_exitcode(_status_after_signal()) == 0


def _status_after_signal() -> int:
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, lambda number, frame: None)
        os.kill(os.getpid(), signal.SIGINT)
        os._exit(0)
    return os.waitpid(child, 0)[1]
