"""Run a GGUF file with llama.cpp on the CPU, without torch or transformers (https://github.com/ggml-org/llama.cpp).

The package xllamacpp holds llama.cpp's server as a library. It takes token ids and returns vectors as lists of numbers,
like the server but without HTTP. The texts of a call run one after the other, without padding. The wheel's kernels were
chosen when it was built: AVX2 on x86-64, and the first version of Armv8 on Arm. It uses no AVX-512, VNNI or dot
products.
"""

from __future__ import annotations

import ctypes
import json
from collections import Counter
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from runner.engines.engine import main_precision

_OPENMP = "libgomp.so.1"


def load_openmp() -> None:
    """Load GCC's OpenMP, which the wheel takes from the system. A system without it gets the one in torch's wheel."""
    try:
        ctypes.CDLL(_OPENMP)
    except OSError:
        torch = find_spec("torch")  # this imports nothing
        if torch is None or torch.origin is None:
            raise
        ctypes.CDLL(str(Path(torch.origin).parent / "lib" / _OPENMP))


load_openmp()
import xllamacpp  # noqa: E402

LIBRARY: str = xllamacpp.xllamacpp.__file__  # llama.cpp itself, with its quantizer
MODEL = "model.gguf"
SETTINGS = "gguf.json"  # beside the model: the settings of a call that llama.cpp does not store
# Products with weights of these types are computed in floating point. Products with weights of all other types are
# computed in 8-bit integers: activations are rounded by the same blocks as the weights.
_TYPE_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_UNTOUCHED, _EUCLIDEAN = -1, 2  # what llama.cpp does with the length of a vector
_NO_LOG = -1


class Engine:
    """An engine for text encoders in GGUF that give a vector for each text."""

    def __init__(self, artifact: Path, threads: int) -> None:
        self._model = artifact / MODEL
        settings = json.loads((artifact / SETTINGS).read_text(encoding="utf-8"))
        self._length = _EUCLIDEAN if settings["normalized"] else _UNTOUCHED
        self._parameters = _parameters(self._model, threads, settings["tokens"])
        self._server = xllamacpp.Server(self._parameters)
        # The server's destructor sometimes never ends, so the server lives as long as the process.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._server))

    def prepare(self, *inputs: np.ndarray) -> dict[str, Any]:
        """Return the request: the ids of each text without its padding."""
        ids, mask = inputs[:2]
        texts = [row[kept].tolist() for row, kept in zip(ids, mask.astype(bool), strict=True)]
        return {"input": texts, "embd_normalize": self._length}

    def run(self, batch: dict[str, Any]) -> Any:
        """Compute the vectors of all texts.

        Raises:
            ValueError: if llama.cpp refuses the request.
        """
        answer = self._server.handle_embeddings(batch)
        if "error" in answer:
            raise ValueError(f"llama.cpp: {answer['error']['message']}")
        return answer["data"]

    def logits(self, output: Any) -> np.ndarray:
        """Return the vectors as one array."""
        return np.array([text["embedding"] for text in output], np.float32)

    def describe(self) -> dict[str, Any]:
        """Return the version, the threads and the instruction sets that the kernels use."""
        return {
            "xllamacpp": xllamacpp.__version__,
            "threads": self._parameters.cpuparams_batch.n_threads,
            "instruction_set": " ".join(_instruction_sets()),
        }

    def precision(self, batch: dict[str, Any]) -> str | None:
        """Return the precision of products with the weights in the file, by their size."""
        import gguf  # not at the top, because a trial does not need it

        work: Counter[str] = Counter()
        for tensor in gguf.GGUFReader(self._model).tensors:
            if tensor.name.startswith("blk.") and len(tensor.shape) == 2:
                work[_TYPE_NAMES.get(tensor.tensor_type.name, "int8")] += prod(tensor.shape.tolist())
        return main_precision(work)


def _parameters(model: Path, threads: int, tokens: int) -> Any:
    """Return the parameters of the server.

    Args:
        model: the GGUF file. It names the pooling.
        threads: the number of threads.
        tokens: the largest number of tokens in a text. They are computed together.
    """
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model)
    parameters.embedding = True
    parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = tokens
    parameters.n_parallel = 1  # several texts at once would also attend to each other, and then mask that out
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.warmup = False  # the first call is measured
    parameters.verbosity = _NO_LOG
    parameters.port = 0  # the server always listens over HTTP; 0 takes any free port of this box
    parameters.n_threads_http = 1
    return parameters


def _instruction_sets() -> list[str]:
    """Return the instruction sets that llama.cpp reports as used, such as AVX2 for the entry "AVX2 = 1"."""
    entries = (entry.partition("=") for entry in xllamacpp.get_system_info().replace(":", "|").split("|"))
    return [name.strip() for name, _, value in entries if value.strip() == "1"]
