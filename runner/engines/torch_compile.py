"""Compile a checkpoint with torch.compile, that is, with TorchInductor, each time that it is loaded
(https://docs.pytorch.org/docs/stable/generated/torch.compile.html).

All compiling is part of the load phase. One graph serves every batch size and length. Some architectures (ModernBERT)
need a second graph for a single text. A call that needs another graph fails. Nothing is cached for the next load, which
would otherwise be faster. The engine needs a C++ compiler where it runs.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # before transformers, which is imported without it otherwise
import torch._inductor.config
import torch.fx.experimental._config

from runner.engines.checkpoint import input_names
from runner.engines.engine import named
from runner.engines.torch import Engine as Eager


class Engine(Eager):
    """An engine that compiles a checkpoint with its weights as constants."""

    def load(self, artifact: Path) -> Any:
        """Load the model, and compile it with two first calls: one of several texts, and one of a single text."""
        torch._inductor.config.freezing = True
        torch._inductor.config.compile_threads = 1  # more threads would be processes that keep running
        torch.fx.experimental._config.backed_size_oblivious = True  # else a single text would get its own graph
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
    """Return these inputs for a number of texts, the last of which is padded."""
    attention_mask = torch.ones(texts, 7, dtype=torch.int64)
    attention_mask[-1, 4:] = 0
    every = named([torch.full_like(attention_mask, 5), attention_mask, torch.zeros_like(attention_mask)])
    return {name: every[name] for name in names}
