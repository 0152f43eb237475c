"""What a trial needs cannot be made, or cannot be had."""

from __future__ import annotations

import signal

from tests.faults.hub import MODEL, REVISION, Hub
from tests.faults.misbehaving import behave, let
from tests.faults.sweeps import SmallSweep, kill

STEP = "onnx-dynamic-int8"  # made anew in these
_THAT_STEP = f"if step.name == {STEP!r}: "


def step_raises(sweep: SmallSweep) -> None:
    let(sweep, "step", _THAT_STEP + "raise ValueError('no such layer')")
    sweep.run()
    behave(sweep)


def step_hangs(sweep: SmallSweep) -> None:
    let(sweep, "step", _THAT_STEP + "import signal; signal.pause()")
    sweep.run("prepare_timeout_seconds=20")
    behave(sweep)


def step_hangs_then_ctrl_c(sweep: SmallSweep) -> None:
    let(sweep, "step", _THAT_STEP + "(target / 'hangs').touch(); import signal; signal.pause()")
    process = sweep.start()
    sweep.until(lambda: list(sweep.store.glob("work/*/files/hangs")), process)
    kill(process, signal.SIGINT)
    sweep.end(process)
    behave(sweep)


def step_writes_half_a_file(sweep: SmallSweep) -> None:
    half = "(target / 'model.onnx').write_bytes((inputs.source / 'model.onnx').read_bytes()[:9999]); "
    let(sweep, "step", _THAT_STEP + half + "os.kill(os.getpid(), 9)")
    sweep.run()
    behave(sweep)


def killed_while_a_step_writes(sweep: SmallSweep) -> None:
    half = "(target / 'model.onnx').write_bytes(b'half'); import signal; signal.pause()"
    let(sweep, "step", _THAT_STEP + half)
    process = sweep.start()
    sweep.until(lambda: list(sweep.store.glob("work/*/files/model.onnx")), process)
    kill(process)
    sweep.end(process)
    behave(sweep)


def hub_download_interrupted(sweep: SmallSweep) -> None:
    hub = _from_hub(sweep, "cut")
    sweep.run()
    hub.breaks = None


def killed_while_the_hub_sends(sweep: SmallSweep) -> None:
    hub = _from_hub(sweep, "hang")
    process = sweep.start()
    sweep.until(lambda: hub.asked, process)
    kill(process)
    sweep.end(process)
    hub.breaks = None


def _from_hub(sweep: SmallSweep, breaks: str) -> Hub:
    """Let a sweep get its model from a hub."""
    hub = Hub(sweep.store, breaks)
    source = f"model.source={{kind: hub, hub_id: {MODEL}, revision: {REVISION}, packages: [], unzip: {{}}}}"
    sweep.grid = (*sweep.grid, "model.weights=trained", source, "model.steps=[{step: import-checkpoint}]")
    sweep.environment = {"HF_ENDPOINT": hub.address, "HF_HOME": str(sweep.store.with_name("hub"))}
    return hub
