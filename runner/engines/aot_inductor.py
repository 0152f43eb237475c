"""AOTInductor: a compiled model, run by PyTorch without transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch._inductor

from runner.engines.pytorch import PyTorch


class Engine(PyTorch):
    """Loads a compiled package."""

    def load(self, artifact: Path) -> Any:
        """Unpack its machine code and weights."""
        return torch._inductor.aoti_load_package(str(artifact / "model.pt2"))

    def precision(self, batch: tuple[torch.Tensor, ...]) -> str | None:
        """Machine code does not tell."""
        return None
