"""torch.compile: the checkpoint, compiled by TorchInductor each time that it is loaded
(https://docs.pytorch.org/docs/stable/generated/torch.compile.html).

All compiling belongs to the load: one graph serves every batch size and length, a second one a single text where the
architecture wants that (ModernBERT), a call that would need another fails, and nothing is kept for the next load, which
would find it done. It needs a C++ compiler wherever it runs.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch._inductor.config
import torch.fx.experimental._config

from runner.engines.checkpoint import input_names
from runner.engines.engine import named
from runner.engines.torch import Engine as Eager


class Engine(Eager):
    """Loads a checkpoint and compiles it, its weights as constants."""

    def load(self, artifact: Path) -> Any:
        """Compile by first calls: of several texts, and of one."""
        torch._inductor.config.freezing = True
        torch._inductor.config.compile_threads = 1  # more are processes that stay
        torch.fx.experimental._config.backed_size_oblivious = True  # or a batch of one text would be compiled apart
        plain = super().load(artifact)
        model = torch.compile(plain, fullgraph=True, dynamic=True)
        examples = [_example(texts, input_names(plain.config)) for texts in (3, 1)]
        with tempfile.TemporaryDirectory() as cache, torch.inference_mode():
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
            for example in examples:
                model(**example)
        torch.compiler.set_stance("fail_on_recompile")
        return model


def _example(texts: int, names: list[str]) -> dict[str, torch.Tensor]:
    """Return the inputs of these names of so many texts, the last of them padded."""
    attention_mask = torch.ones(texts, 7, dtype=torch.int64)
    attention_mask[-1, 4:] = 0
    every = named([torch.full_like(attention_mask, 5), attention_mask, torch.zeros_like(attention_mask)])
    return {name: every[name] for name in names}
