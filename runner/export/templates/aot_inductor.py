from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch._inductor


def load(folder: Path, threads: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the model as a function of input_ids and attention_mask to logits [texts, labels]."""
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    model = torch._inductor.aoti_load_package(str(folder / "model.pt2"))

    @torch.inference_mode()
    def logits_of(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(model(torch.from_numpy(ids), torch.from_numpy(mask)).float().numpy())

    return logits_of
