import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch


def load(folder: Path, threads: int) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return the model: a function that takes the inputs of a call by name and returns logits."""
    sys.path.insert(0, str(folder))  # `python -I` leaves it out
    from runner.engines.checkpoint import load_checkpoint

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    model = load_checkpoint(folder)

    @torch.inference_mode()
    def logits_of(inputs: dict[str, np.ndarray]) -> np.ndarray:
        named = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return np.asarray(model(**named).logits.float().numpy())

    return logits_of
