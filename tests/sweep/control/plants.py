"""Errors that are planted into what a step made, each of a kind that nothing else of a sweep would notice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"


def weights(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Callable[[Path], None]:
    """Return what changes the tensors of a checkpoint."""

    def spoil(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        made = {name: tensor.contiguous() for name, tensor in (state | change(state)).items()}
        save_file(made, folder / WEIGHTS, metadata={"format": "pt"})

    return spoil


def config(**values: Any) -> Callable[[Path], None]:
    """Return what changes keys of config.json."""
    return _json(CONFIG, lambda content: content.update(values))


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return what changes tokenizer.json in place."""
    return _json(TOKENIZER, change)


def _json(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return spoil


def swapped_labels(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Exchange the first two outputs of the head."""
    order = [1, 0, *range(2, len(state["classifier.weight"]))]
    return {name: state[name][order] for name in ("classifier.weight", "classifier.bias")}


def in_float16(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Round all weights to float16 and back."""
    return {name: tensor.half().float() for name, tensor in state.items()}


def shifted_positions(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give every token the position of the next."""
    name = next(name for name in state if name.endswith("position_embeddings.weight"))
    return {name: state[name].roll(-1, 0)}


def skipped_layer(folder: Path) -> None:
    """Leave out the last layer."""
    layers = json.loads((folder / CONFIG).read_text())["num_hidden_layers"] - 1
    config(num_hidden_layers=layers)(folder)
    state = {name: tensor for name, tensor in load_file(folder / WEIGHTS).items() if f"layer.{layers}." not in name}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
