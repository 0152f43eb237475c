"""A box that runs everything in this process, where a test can plant an error into what comes out of it."""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import runner.sweep.prepared
from runner.config.schema import Config
from runner.isolation.box import Box, BoxEnd, BoxOrder
from runner.results.records.prepared import PreparedJob
from runner.store.sweep_folder import SweepFolder
from runner.sweep.prepared import prepare_job

CONF = Path(__file__).parents[3] / "conf"
Spoil = Callable[[Path], None]


class HereBox(Box):
    """Runs a module's `main`; what the step `spoiled` made is then handed to `spoil`, which may change its files."""

    kind = "process"
    image_id = None

    def __init__(self, spoil: Spoil | None = None, spoiled: str = "import-checkpoint") -> None:
        self._spoil, self._spoiled = spoil, spoiled

    def run(self, order: BoxOrder) -> BoxEnd:
        paths = {name: str(path) for name, path in order.inputs.items()} | {"output": str(order.output)}
        request = order.output / "request.json"
        request.write_text(json.dumps(order.request | {"paths": paths}))
        name = f"{order.module}.__main__" if order.module == "runner.techniques" else order.module
        arguments, folder = sys.argv, tempfile.tempdir
        sys.argv = [order.module, str(request)]
        try:
            importlib.import_module(name).main()
        except Exception:
            return BoxEnd(1, False, False, traceback.format_exc())
        finally:
            sys.argv, tempfile.tempdir = arguments, folder
            request.unlink()
        if self._spoil and order.request.get("step") == self._spoiled:
            self._spoil(order.output / "files")
        return BoxEnd(0, False, False, "")

    def memory_limit(self, memory_bytes: int) -> int | None:
        return memory_bytes


def prepare_here(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *overrides: str, spoil: Spoil | None = None
) -> tuple[PreparedJob, str]:
    """Prepare one job of the model in `folder`/model on the task in `folder`/texts.jsonl; return how that went, and its
    log."""
    monkeypatch.setattr(torch, "set_num_interop_threads", lambda count: None)  # torch allows it once in a process
    monkeypatch.setattr(runner.sweep.prepared, "make_box", lambda isolation: HereBox(spoil))
    settings = ["model=folder", f"model.path={folder}/model", "task=file", f"task.path={folder}/texts.jsonl"]
    with tempfile.TemporaryDirectory(dir=folder) as work, initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", [*settings, "isolation=process", f"store={work}/store", *overrides])
        cfg = OmegaConf.to_object(composed)
        assert isinstance(cfg, Config)
        sweep = SweepFolder(Path(work) / "sweep")
        ready = prepare_job(cfg, "job", sweep, [0])
        assert ready is not None
        return ready, (sweep.path / ready.log).read_text() if ready.log else ""
