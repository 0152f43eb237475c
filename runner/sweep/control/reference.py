"""Predict some test texts with transformers alone, inside a box: `python -m runner.sweep.control.reference REQUEST`.

This module imports no code of Pinbox, and batches, pads or exports nothing. A user who loads the model with
`from_pretrained` and gives it one text at a time gets these predictions. A mistake of Pinbox then shows as a
difference.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

_LONGEST = 4  # the number of the longest texts in the sample, on which truncation shows
_OPTIONS = {"local_files_only": True, "trust_remote_code": False}  # neither the network nor the model's own code


def main() -> None:
    """Read the request, and write `files/reference.json` and `notes.json` into the output folder.

    The reference holds the indices of the texts, the names of the model's outputs in order, and the logits of each text
    as rows: one row, or one for each word. If transformers itself fails, the reference holds only the `reason`.
    """
    request = json.loads(Path(sys.argv[1]).read_text())
    paths = {name: Path(path) for name, path in request["paths"].items()}
    torch.set_num_threads(request["threads"])
    examples = read_examples(paths["texts"], prompts_of(paths["model"]) if request["kind"] == "retrieval" else ("", ""))
    chosen = sample(examples, request["texts"])
    try:
        reference = {"texts": chosen} | predict([examples[number] for number in chosen], paths, request)
    except Exception as error:  # transformers may raise anything; then there is nothing to compare with
        reference = {"reason": (str(error).strip().splitlines() or [type(error).__name__])[0]}
        print(f"{type(error).__name__}: {error}")
    (paths["output"] / "files").mkdir()
    (paths["output"] / "files" / "reference.json").write_text(json.dumps(reference))
    (paths["output"] / "notes.json").write_text(json.dumps({"notes": {"texts": len(chosen)}}))


def read_examples(texts: Path, prompts: tuple[str, str]) -> list[dict[str, Any]]:
    """Return the test texts, and then the documents that they are to find, if there are any, each after its prompt."""
    examples = []
    for name, prompt in zip(("test", "documents"), prompts, strict=True):
        path = texts / f"{name}.jsonl"
        if path.exists():
            with path.open(encoding="utf-8") as lines:
                read = [json.loads(line) for line in lines]
            examples += [example | {"text": prompt + example["text"]} for example in read]
    return examples


def prompts_of(folder: Path) -> tuple[str, str]:
    """Return what comes before a query and before a document, as sentence-transformers or Pinbox wrote it down."""
    path, config = folder / "config_sentence_transformers.json", json.loads((folder / "config.json").read_text())
    if not path.is_file():
        query, document = config.get("vector_prompts") or ("", "")
        return query, document
    named = json.loads(path.read_text(encoding="utf-8")).get("prompts") or {}
    document = next((named[name] for name in ("document", "passage", "corpus") if name in named), "")
    return named.get("query") or "", document or ""


def sample(examples: Sequence[dict[str, Any]], first: int) -> list[int]:
    """Return the indices of the first texts, which are in random order, and of the longest other texts.

    In a task of kind retrieval, these are queries and documents.
    """
    others = sorted(range(first, len(examples)), key=lambda number: -_characters(examples[number]))
    return [*range(min(first, len(examples))), *sorted(others[:_LONGEST])]


def _characters(example: dict[str, Any]) -> int:
    return len(example["text"]) + len(example.get("pair") or "")


def predict(examples: Sequence[dict[str, Any]], paths: dict[str, Path], request: dict[str, Any]) -> dict[str, Any]:
    """Return the names of the model's outputs and the logits of every example.

    Args:
        examples: the test texts, as `runner.tasks.texts` writes them.
        paths: the folders `model` and `tokenizer`.
        request: the `kind` of the task, whether the model gives vectors (`vectors`) and how they are made (`pooling`,
            `normalized`), `max_length`, and whether the tokenizer's folder holds the model's own files
            (`raw_tokenizer`) or a tokenizer.json alone.
    """
    model = load_model(paths["model"], request["kind"], request["vectors"])
    tokenizer = load_tokenizer(paths["tokenizer"], request["raw_tokenizer"], model.config)
    request = request | {"normalized": normalizes(paths["model"], model.config)}
    logits = [_logits(model, tokenizer, example, request) for example in examples]
    config = model.config
    names = [] if request["vectors"] else [str(config.id2label[i]) for i in range(config.num_labels)]
    return {"names": names, "logits": logits}


def load_model(folder: Path, kind: str, vectors: bool) -> Any:
    """Load a model in float32.

    Raises:
        ValueError: if tensors are missing. transformers would replace them by random ones.
    """
    config = AutoConfig.from_pretrained(folder, **_OPTIONS)
    loaded: dict[str, Any] = _OPTIONS | {"dtype": torch.float32, "output_loading_info": True}
    if vectors and hasattr(config, "vector_pooling"):  # Pinbox made it
        state = load_file(folder / "model.safetensors")
        encoder = {name.removeprefix("encoder."): tensor for name, tensor in state.items()}
        model, report = AutoModel.from_pretrained(None, config=config, state_dict=encoder, **loaded)
    else:
        classifier = AutoModelForTokenClassification if kind == "tokens" else AutoModelForSequenceClassification
        head = AutoModel if vectors else classifier
        model, report = head.from_pretrained(folder, use_safetensors=True, **loaded)
    missing = {name for name in report["missing_keys"] if not vectors or not name.startswith("pooler.")}
    if missing:
        raise ValueError(f"the files lack {len(missing)} tensors, such as {min(missing)}")
    return model.eval()


def normalizes(folder: Path, config: Any) -> bool:
    """Return whether modules.json or config.json says that vectors are divided by their length."""
    path = folder / "modules.json"
    kinds = [str(module["type"]) for module in json.loads(path.read_text(encoding="utf-8"))] if path.is_file() else []
    return any(kind.endswith(".Normalize") for kind in kinds) or bool(getattr(config, "vector_normalized", False))


def load_tokenizer(folder: Path, raw: bool, config: Any) -> Any:
    """Load the tokenizer with transformers, from the model's own files or from tokenizer.json alone."""
    if raw:
        return AutoTokenizer.from_pretrained(folder, **_OPTIONS)
    types = ["token_type_ids"] if getattr(config, "takes_token_types", False) else []
    names = ["input_ids", "attention_mask", *types]
    return PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), model_input_names=names)


def _logits(model: Any, tokenizer: Any, example: dict[str, Any], request: dict[str, Any]) -> list[list[float]]:
    """Return the logits of one text: one row, or one for each word. A word that was cut off gets NaN."""
    words = example.get("words")
    texts = [words] if words else [example[name] for name in ("text", "pair") if name in example]
    encoded = tokenizer(
        *texts,
        is_split_into_words=bool(words),
        truncation=True,
        max_length=request["max_length"],
        return_tensors="pt",
    )
    accepted = set(inspect.signature(model.forward).parameters)
    if (getattr(model.config, "type_vocab_size", None) or 0) < 2:
        accepted.discard("token_type_ids")  # the model has only one type
    with torch.inference_mode():
        output = model(**{name: values for name, values in encoded.items() if name in accepted})
    if request["vectors"]:
        return [_pooled(output.last_hidden_state[0], request["pooling"], request["normalized"])]
    if not words:
        return [output.logits[0].tolist()]
    places, labels = encoded.word_ids(0), output.logits.shape[-1]
    rows = output.logits[0].tolist()
    return [rows[places.index(word)] if word in places else [math.nan] * labels for word in range(len(words))]


def _pooled(states: torch.Tensor, pooling: str, normalized: bool) -> list[float]:
    """Return a text's vector from the last hidden states of its tokens, [tokens, width]."""
    vector = states[0] if pooling == "first" else states.mean(0)
    values: list[float] = (vector / vector.norm() if normalized else vector).tolist()
    return values


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # everything is written, and a normal exit of torch takes a second or more
