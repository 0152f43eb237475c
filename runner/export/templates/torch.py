import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch


def load(folder: Path, threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the model as a function of input_ids and attention_mask to logits [texts, labels]."""
    sys.path.insert(0, str(folder))  # `python -I` leaves it out
    from runner.engines.checkpoint import load_checkpoint

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    model = load_checkpoint(folder)

    @torch.inference_mode()
    def logits_of(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(model(torch.from_numpy(ids), torch.from_numpy(mask)).logits.float().numpy())

    return logits_of
