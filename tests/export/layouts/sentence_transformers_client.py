"""Load an exported folder with sentence-transformers and print what it gives for each text, as JSON.

`python sentence_transformers_client.py FOLDER` runs in an environment of its own. Texts come on standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import sentence_transformers


def main() -> None:
    """Print a list of outputs."""
    folder, given = Path(sys.argv[1]), json.load(sys.stdin)
    backend = "onnx" if (folder / "onnx").exists() else "openvino"
    options: dict[str, Any] = {"ov_config": {"INFERENCE_PRECISION_HINT": "f32"}}
    if backend == "onnx":
        options = {"provider": "CPUExecutionProvider"}
    if (folder / "modules.json").exists():
        model = sentence_transformers.SentenceTransformer(str(folder), backend=backend, model_kwargs=options)
        values = [model.encode(text) for text in given["texts"]]
    else:
        model = sentence_transformers.CrossEncoder(str(folder), backend=backend, model_kwargs=options)
        values = [model.predict([tuple(pair)])[0] for pair in given["texts"]]
    print(json.dumps([{"values": value.reshape(-1).tolist(), "label": None} for value in values]))


if __name__ == "__main__":
    main()
