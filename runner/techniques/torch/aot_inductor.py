"""Compile a checkpoint ahead of time with AOTInductor
(https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html).

The model is captured whole, its kernels are written in C++ for this very kind of CPU, compiled, and packed with the
weights. That needs a C++ compiler, which the image of the boxes has not, so such a job runs as pinned processes.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.techniques.step import Step, StepInputs, step

MODEL = "model.pt2"
_MAX_TEXTS = 1024  # of a call
_MIN_TOKENS = 2  # of a text: torch.export takes 1 for a constant


@step("aot-inductor")
@dataclass
class AotInductor(Step):
    """checkpoint → pt2, for any batch size and length; runs without transformers and without a compiler."""

    takes = "checkpoint"
    gives = "pt2"
    keeps_predictions = True
    needs_compiler = True

    def run(self, inputs: StepInputs, target: Path) -> dict[str, Any]:
        """Capture, compile with the weights as constants, compare with the checkpoint on other shapes.

        Raises:
            ValueError: if the compiled model's logits differ.
        """
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()
        import torch

        from runner.techniques.torch.tracing import example, exporting, largest_difference, load_logits
        from runner.techniques.training.batches import positions

        assert inputs.source is not None
        torch.set_num_threads(inputs.threads)
        model = load_logits(inputs.source, attention="sdpa")
        longest = positions(model.model.config)
        tokens = {
            0: torch.export.Dim("batch", min=1, max=_MAX_TEXTS),
            1: torch.export.Dim("length", min=_MIN_TOKENS, max=longest),
        }
        with exporting(self.name, model), torch.no_grad():
            shapes = dict.fromkeys(model.inputs(), tokens)
            captured = torch.export.export(model, (), example(model, 3, 77), dynamic_shapes=shapes)
            package = torch._inductor.aoti_compile_and_package(
                captured, package_path=str(target / MODEL), inductor_configs={"freezing": True}
            )
            compiled = torch._inductor.aoti_load_package(package)
            return {"largest_logit_difference": largest_difference(model, compiled)}
