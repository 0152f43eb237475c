"""Tokenize the test texts for a workload, inside a box: `python -m runner.tasks.tokenize REQUEST`.

A trial then needs no tokenizer: all batches lie end to end in one .npz (read by runner/trial/inputs.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from runner.architectures import positions_for_texts
from runner.tasks import read


def main() -> None:
    """Read the request, write `files/inputs.npz` and `notes.json` into the output folder."""
    request = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(path) for name, path in request["paths"].items()}
    texts = [example.text for example in read(paths["texts"], "test")]
    tokenizer = Tokenizer.from_file(str(paths["checkpoint"] / "tokenizer.json"))
    arrays = tokenize(texts, tokenizer, request)
    (paths["output"] / "files").mkdir()
    np.savez(paths["output"] / "files" / "inputs.npz", **arrays)  # type: ignore[arg-type]  # its stub means another key
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": {"texts": len(texts)}}))


def tokenize(texts: list[str], tokenizer: Tokenizer, settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """Encode, cut into batches in order, pad.

    Args:
        texts: in the order of the calls.
        tokenizer: adds the special tokens; its own padding is not used.
        settings: batch_size, padding (longest, bucketed or max_length), bucket, max_length and pad_token_id; and for
            the check of lengths `positions` and `model_type` of the model.

    Returns:
        shapes int64 [batches, 2] as (rows, columns), and input_ids and attention_mask int32, all batches end to end;
        pad_token_id, int64, for who cuts the batches anew.

    Raises:
        ValueError: if max_length exceeds the positions that the model knows.
    """
    longest = _positions(settings)
    if longest is not None and settings["max_length"] > longest:
        raise ValueError(f"workload.max_length is {settings['max_length']}, but the model has {longest} positions")
    tokenizer.no_padding()
    tokenizer.enable_truncation(settings["max_length"])
    encodings = tokenizer.encode_batch(texts)
    size = settings["batch_size"]
    batches = [_batch(encodings[start : start + size], settings) for start in range(0, len(encodings), size)]
    return {
        "shapes": np.array([ids.shape for ids, _ in batches], dtype=np.int64),
        "input_ids": np.concatenate([ids.ravel() for ids, _ in batches]).astype(np.int32),
        "attention_mask": np.concatenate([mask.ravel() for _, mask in batches]).astype(np.int32),
        "pad_token_id": np.array(settings["pad_token_id"], dtype=np.int64),
    }


def _batch(encodings: list[Encoding], settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Pad to one length."""
    length = _padded_length(max(len(encoding.ids) for encoding in encodings), settings)
    ids = np.full((len(encodings), length), settings["pad_token_id"])
    mask = np.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = encoding.ids
        mask[row, : len(encoding.ids)] = 1
    return ids, mask


def _padded_length(longest: int, settings: dict[str, Any]) -> int:
    """Return the length of a batch; a bucket that max_length cuts ends there."""
    limit: int = settings["max_length"]
    if settings["padding"] == "max_length":
        return limit
    if settings["padding"] == "longest":
        return longest
    bucket: int = settings["bucket"]
    return min(-(-longest // bucket) * bucket, limit)


def _positions(settings: dict[str, Any]) -> int | None:
    """Return the longest text that the model can take."""
    positions: int | None = settings["positions"]
    return positions_for_texts(settings["model_type"], positions, settings["pad_token_id"]) if positions else None


if __name__ == "__main__":
    main()
