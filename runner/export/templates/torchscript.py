from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch


def load(folder: Path, threads: int) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return the model: a function that takes the inputs of a call by name and returns logits."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    model = torch.jit.load(str(folder / "model.torchscript.pt"), map_location="cpu")

    @torch.inference_mode()
    def logits_of(inputs: dict[str, np.ndarray]) -> np.ndarray:
        named = {name: torch.from_numpy(array) for name, array in inputs.items()}
        return np.asarray(model(**named).float().numpy())

    return logits_of
