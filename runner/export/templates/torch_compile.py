import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch._inductor.config
import torch.fx.experimental._config

from runner.export.templates.predict import SETTINGS


def load(folder: Path, threads: int) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Compile the model, and return it: a function that takes the inputs of a call by name and returns logits."""
    sys.path.insert(0, str(folder))  # `python -I` leaves it out
    from runner.engines.checkpoint import load_checkpoint

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch._inductor.config.freezing, torch._inductor.config.compile_threads = True, 1
    torch.fx.experimental._config.backed_size_oblivious = True  # else a single text would get its own graph
    model = torch.compile(load_checkpoint(folder), fullgraph=True, dynamic=True)

    @torch.inference_mode()
    def logits_of(inputs: dict[str, np.ndarray]) -> np.ndarray:
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return np.asarray(model(**tensors).logits.float().numpy())

    mask = (np.arange(7) < np.array([[7], [4], [7]])).astype(np.int64)
    logits_of(dict.fromkeys(SETTINGS["inputs"], mask))  # compiles: one graph for every batch size and length
    return logits_of
