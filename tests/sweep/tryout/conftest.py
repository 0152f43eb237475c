"""Models that are never loaded: a config.json and weights of the right shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from runner.sweep.tryout.model import OwnModel, read_model

CONFIG = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "vocab_size": 600,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
}

MakeModel = Callable[..., OwnModel]


def write_model(folder: Path, *labels: str, **config: Any) -> Path:
    """Write a model whose head has these labels; a value of None in `config` removes a key."""
    folder.mkdir(parents=True, exist_ok=True)
    named = {"id2label": dict(enumerate(labels))} if labels else {}
    values = {key: value for key, value in (CONFIG | named | config).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(values))
    layer = {"bert.encoder.layer.0.attention.self.query.weight": np.zeros((32, 32), "f4")}
    head = {"classifier.weight": np.zeros((len(labels), 32), "f4")} if labels else {}
    save_file(layer | head, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordPiece"}}))
    return folder


@pytest.fixture
def own_model(tmp_path: Path) -> MakeModel:
    """Return a function that makes a model of labels and changes to its config.json."""

    def make(*labels: str, **config: Any) -> OwnModel:
        return read_model(str(write_model(tmp_path / "model", *labels, **config)), "model", tmp_path)

    return make
