"""Load an exported folder with Optimum and print what it gives for each text: `python optimum_client.py FOLDER`.

It runs in an environment of its own (see `tests.export.layouts.environments`). Texts come as JSON on standard input.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer


def main() -> None:
    """Print a list of outputs as JSON."""
    folder, given = Path(sys.argv[1]), json.load(sys.stdin)
    task, texts = given["task"], given["texts"]
    options: dict[str, Any]
    if (folder / "model.onnx").exists():
        import optimum.onnxruntime as library
        from onnxruntime import SessionOptions

        settings = SessionOptions()
        settings.intra_op_num_threads = 1
        prefix, options = "ORT", {"session_options": settings}
    else:
        import optimum.intel as library

        prefix, options = "OV", {"ov_config": {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": "1"}}
    model = getattr(library, f"{prefix}ModelFor{task}").from_pretrained(folder, **options)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    printed = []
    for text in texts:
        pair = text if isinstance(text, list) and task != "TokenClassification" else [text]
        words = task == "TokenClassification"
        inputs = tokenizer(*pair, truncation=True, return_tensors="pt", is_split_into_words=words)
        output = model(**inputs)
        values = output.last_hidden_state[:, 0] if task == "FeatureExtraction" else output.logits
        label = model.config.id2label[int(values[0].argmax(-1))] if task == "SequenceClassification" else None
        if words:  # those of the first token of each word, None for a word that was cut off
            starts = {word: place for place, word in reversed([*enumerate(inputs.word_ids())]) if word is not None}
            tokens = [values[0][starts[word]].tolist() if word in starts else None for word in range(len(text))]
            printed.append({"values": tokens, "label": None})
        else:
            printed.append({"values": values[0].tolist(), "label": label})
    print(json.dumps(printed))


if __name__ == "__main__":
    main()
