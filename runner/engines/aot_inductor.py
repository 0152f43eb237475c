"""Run a model compiled by AOTInductor, with PyTorch but without transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch._inductor
from torch.utils import _pytree as pytree

from runner.engines.engine import check_inputs
from runner.engines.pytorch import PyTorch


class Engine(PyTorch):
    """An engine for compiled packages."""

    def load(self, artifact: Path) -> Any:
        """Unpack the machine code and the weights, and check the names of the inputs."""
        path = artifact / "model.pt2"
        model = torch._inductor.aoti_load_package(str(path))
        _, by_name = pytree.treespec_loads(model.loader.get_call_spec()[0]).children()
        check_inputs(by_name.context, path)
        return model

    def precision(self, batch: dict[str, torch.Tensor]) -> str | None:
        """Return None, because machine code does not show its precision."""
        return None
