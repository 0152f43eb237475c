import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xllamacpp


def load(folder: Path, threads: int) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return the model: a function that takes the inputs of a call by name and returns logits."""
    settings = json.loads((folder / "gguf.json").read_text(encoding="utf-8"))
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(folder / "model.gguf")
    parameters.embedding = True
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = settings["tokens"]
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.verbosity = -1  # it logs nothing
    parameters.port = 0  # any free port of this machine; nothing here uses it
    server = xllamacpp.Server(parameters)

    def vectors(inputs: dict[str, np.ndarray]) -> np.ndarray:
        rows = zip(inputs["input_ids"], inputs["attention_mask"].astype(bool), strict=True)
        request = {"input": [row[kept].tolist() for row, kept in rows]}
        answer = server.handle_embeddings(request | {"embd_normalize": 2 if settings["normalized"] else -1})
        if "error" in answer:
            raise ValueError(answer["error"]["message"])
        return np.array([text["embedding"] for text in answer["data"]], np.float32)

    return vectors
